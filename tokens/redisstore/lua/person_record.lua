-- Part: what is known of a person, one string beside what the user holds, which lives as
-- long (storage.Person.MarshalBinary): version; as of, in milliseconds; checked, in seconds;
-- number of groups; their tags; claims. There is none where nothing is known, and the
-- profile says whether there is one.

-- read_person returns the record; '' where there is none. One that should be there and
-- is not is a fault: nothing known must not be read out of it.
local function read_person(key, has_person)
  if not has_person then return '' end
  local v = redis.call('GET', key)
  if not v then error('gatehouse: missing record of a person') end
  if v:byte(1) ~= 1 or #v < 12 then unreadable(v, 1) end
  return v
end

-- write_person replaces the record, of which there may have been one; '' removes it.
-- What the user holds has got its end before.
local function write_person(key, had_person, v)
  if v ~= '' then
    local left = redis.call('PTTL', KEYS[1])
    redis.call('SET', key, v)
    if left >= 0 then redis.call('PEXPIRE', key, left) end
  elseif had_person then
    redis.call('UNLINK', key)
  end
end

-- as_of is when the facts of a record were asked for, in milliseconds; 0 for '', and
-- for a record that is to be dated.
local function as_of(v)
  if v == '' then return 0 end
  if v:byte(1) ~= 1 or #v < 12 then unreadable(v, 1) end
  local _, at = struct.unpack('>BI6', v)
  return at
end

-- allowed is storage.AllOf.Allow, with the groups of a person's record.
local function allowed(rules, person)
  local may, at = true, 1
  local last = person == '' and 0 or 12 + 8 * person:byte(12)
  while at <= #rules do
    local behind, one_of = at + 1 + 8 * rules:byte(at), false
    for i = at + 1, behind - 1, 8 do
      local tag = rules:sub(i, i + 7)
      for j = 13, last, 8 do one_of = one_of or person:sub(j, j + 7) == tag end
    end
    may, at = may and one_of, behind
  end
  return may
end
