-- Code generated from lua/profile.lua by flatten; DO NOT EDIT.
--
-- Returns the profile of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, profile, or false if there is none}

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local v = redis.call('HGET', KEYS[1], 'p')
-- read_profile returns of the value of 'p' the text of the profile, the fingerprint and how many
-- further pieces there are; nil where there is none.
local profile repeat -- read_profile(v)
  if not v then profile = nil break end
  local head, at = v:byte(1), 2
  if head % 16 ~= 1 or head >= 64 then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local fingerprint, pieces = NONE, 0
  if head % 32 >= 16 then
    fingerprint, at = v:sub(2, 9), 10
  end
  if head >= 32 then
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
  profile = text, fingerprint, pieces
until true
return { ARGV[1], profile or false }
