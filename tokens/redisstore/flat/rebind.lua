-- Code generated from lua/rebind.lua by flatten; DO NOT EDIT.
--
-- Gives the profile of a user another fingerprint, and changes nothing else.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 fingerprint that it has   3 fingerprint that it gets
-- Result {number of the call, 1 or 0 for whether it has that now}

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local v = redis.call('HGET', KEYS[1], 'p')
-- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
-- pieces there are, and whether there is a person's record; nil where there is none.
local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(v)
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
local subject, fingerprint, pieces, has_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
if fingerprint == ARGV[2] then
  -- write_profile replaces the profile, of which there were `had_pieces` further pieces.
  do -- write_profile(pieces, ARGV[3], subject, has_person)
    local had_pieces, fingerprint, text = pieces, ARGV[3], subject
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
  return { ARGV[1], 1 }
end
if fingerprint ~= ARGV[3] then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], fingerprint == ARGV[3] and 1 or 0 }
