-- Code generated from lua/import_held.lua by flatten; DO NOT EDIT.
--
-- Writes all that a user holds, as scan_held.lua has returned it, over what an
-- import has written before.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call   2 grace ms   3 '1' or '0' for whether there is a profile   4 fingerprint   5 subject
--        6 person, '' for nothing known       7 id of a family or session   8 its record   and so on
-- Result {number of the call}

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local GRACE = tonumber(ARGV[2])

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[3] == '1' then
  -- write_profile replaces the profile, of which there were `had_pieces` further pieces.
  do -- write_profile(0, ARGV[4], ARGV[5], ARGV[6] ~= '')
    local had_pieces, fingerprint, text, has_person = 0, ARGV[4], ARGV[5], ARGV[6] ~= ''
    local head, fields = 2 + (has_person and 64 or 0), {}
    if fingerprint ~= NONE then
      head, fields[1] = head + 16, fingerprint
    end
    local room, pieces = 62 - #fields * 8, 0
    if #text > room then
      local first, rest = text:sub(1, room - 1), text:sub(room)
      local size = math.max(63, math.ceil(#rest / 100))
      pieces = math.ceil(#rest / size)
      for i = 1, pieces do
        redis.call('HSET', KEYS[1], 'p' .. string.char(i), rest:sub((i - 1) * size + 1, i * size))
      end
      head, text = head + 32, string.char(pieces) .. first
    end
    for i = pieces + 1, had_pieces do
      redis.call('HDEL', KEYS[1], 'p' .. string.char(i))
    end
    redis.call('HSET', KEYS[1], 'p', string.char(head) .. table.concat(fields) .. text)
  end
end
for i = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
-- read_grants reads everything: the records of families and when those end,
-- sessions by id, the fields of the profile with their values, and the ids of what
-- has expired. There are no more than storage.MaxFamilies and MaxSessions allow.
local g do -- read_grants()
  local all = redis.call('HGETALL', KEYS[1])
  local families, ends, sessions, profile, expired = {}, {}, {}, {}, {}
  for i = 1, #all, 2 do
    local field, v = all[i], all[i + 1]
    if #field == 16 then
      -- end_in is when the family of a record is dead, in milliseconds, 0 for never.
      local till do -- end_in(v)
        if #v ~= FAMILY_SIZE or v:byte(1) ~= 1 then
          -- unreadable ends the script, before it has written what it decides about.
          do -- unreadable(v, 1)
            local record, version = v, 1
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local expires, idle = struct.unpack('>I4I4', v, ENDS_AT)
        -- earlier returns the first of two ends in seconds, of which 0 is none.
        local first repeat -- earlier(expires, idle)
          local a, b = expires, idle
          if a == 0 or b ~= 0 and b < a then first = b break end
          first = a
        until true
        till = first * 1000
      end
      families[field], ends[field] = v, till
      -- over reports whether an end in milliseconds has passed, of which 0 is none.
      local dead do -- over(till)
        dead = till ~= 0 and now >= till
      end
      if dead then table.insert(expired, field) end
    elseif #field == 8 then
      -- read_session reads a session. Its root is nil where that is the session itself.
      local s do -- read_session(v)
        if #v < 17 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local head, begun, auth, expires, used, at = struct.unpack(SESSION, v)
        if head % 16 ~= 2 or head >= 64 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local root, amr = nil, ''
        if head % 32 >= 16 then
          root, at = v:sub(at, at + 7), at + 8
        end
        if head >= 32 then
          local length = v:byte(at) or 0
          amr, at = v:sub(at + 1, at + length), at + 1 + length
        end
        if at > #v + 1 then
          do -- unreadable(v, head)
            local record, version = v, head
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        s = { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
      end
      sessions[field] = s
      local dead do -- over(s.expires * 1000)
        local till = s.expires * 1000
        dead = till ~= 0 and now >= till
      end
      if dead then table.insert(expired, field) end
    else
      table.insert(profile, field)
      table.insert(profile, v)
    end
  end
  g = { families = families, ends = ends, sessions = sessions, profile = profile, expired = expired }
end
-- settle makes the hash, which had `had` left, and the person's record, live as long as
-- what is in g.
do -- settle(g, -2, KEYS[2])
  local had, person = -2, KEYS[2]
  local till, endless = now, false
  for _, family_till in pairs(g.ends) do
    endless = endless or family_till == 0
    till = math.max(till, family_till)
  end
  for _, s in pairs(g.sessions) do
    endless = endless or s.expires == 0
    till = math.max(till, s.expires * 1000)
  end
  if endless then
    till = 0
  else
    till = till + GRACE
    if had == -1 then had = -2 end -- it lived for ever, for the sake of something that is gone
  end
  -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
  -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
  -- write creates lives for ever until then. It gives a little more, so that not
  -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
  do -- lengthen(KEYS[1], had, till, person)
    local key, beside = KEYS[1], person
    if till == 0 then
      if had >= 0 then redis.call('PERSIST', key) end
      if had >= 0 and beside then redis.call('PERSIST', beside) end
    elseif had == -2 or had >= 0 and now + had < till then
      local more = math.min(math.max(till - now, 0) / 16, 86400000)
      local ends_at = math.ceil(till + more) - SHIFT
      redis.call('PEXPIREAT', key, ends_at)
      if beside then redis.call('PEXPIREAT', beside, ends_at) end
    end
  end
end
-- write_person replaces the record, of which there may have been one; '' removes it.
-- What the user holds has got its end before.
do -- write_person(KEYS[2], false, ARGV[6])
  local key, had_person, v = KEYS[2], false, ARGV[6]
  if v ~= '' then
    local left = redis.call('PTTL', KEYS[1])
    redis.call('SET', key, v)
    if left >= 0 then redis.call('PEXPIRE', key, left) end
  elseif had_person then
    redis.call('UNLINK', key)
  end
end
return { ARGV[1] }
