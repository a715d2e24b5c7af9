-- Code generated from lua/scan_held.lua by flatten; DO NOT EDIT.
--
-- Returns all that a user holds, as records.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call
-- Result {number of the call, now ms, subject, fingerprint and person, '' for none,
--         {id of a family or session, record, id, record, ...}}

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local all, records = redis.call('HGETALL', KEYS[1]), {}
local subject, fingerprint, has_person, _
for i = 1, #all, 2 do
  if all[i] == 'p' then
    -- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
    -- pieces there are, and whether there is a person's record; nil where there is none.
    local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(all[i + 1])
      local v = all[i + 1]
      if not v then read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result = nil break end
      local head, at = v:byte(1), 2
      if head % 16 ~= 2 or head >= 128 then
        -- unreadable ends the script, before it has written what it decides about.
        do -- unreadable(v, 2)
          local record, version = v, 2
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local fingerprint, pieces = NONE, 0
      if head % 32 >= 16 then
        fingerprint, at = v:sub(2, 9), 10
      end
      if head % 64 >= 32 then
        pieces, at = v:byte(at), at + 1
      end
      local text = v:sub(at)
      if pieces > 0 then
        local fields = {}
        for i = 1, pieces do fields[i] = 'p' .. string.char(i) end
        local rest = redis.call('HMGET', KEYS[1], unpack(fields))
        for i = 1, pieces do
          if not rest[i] then error('gatehouse: damaged record') end
        end
        text = text .. table.concat(rest)
      end
      read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result = text, fingerprint, pieces, head >= 64
    until true
    subject, fingerprint, _, has_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
  elseif #all[i] ~= 2 or all[i]:sub(1, 1) ~= 'p' then
    table.insert(records, all[i])
    table.insert(records, all[i + 1])
  end
end
-- read_person returns the record; '' where there is none. One that should be there and
-- is not is a fault: nothing known must not be read out of it.
local person repeat -- read_person(KEYS[2], has_person)
  local key = KEYS[2]
  if not has_person then person = '' break end
  local v = redis.call('GET', key)
  if not v then error('gatehouse: missing record of a person') end
  if v:byte(1) ~= 1 or #v < 12 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  person = v
until true
return { ARGV[1], now, subject or '', fingerprint or '', person, records }
