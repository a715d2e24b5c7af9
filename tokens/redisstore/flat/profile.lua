-- Code generated from lua/profile.lua by flatten; DO NOT EDIT.
--
-- Returns the profile of a user.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, subject, fingerprint (and behind it the one that is held) and person, '' for none}

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local held = redis.call('HMGET', KEYS[1], 'p', HELD)
-- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
-- pieces there are, and whether there is a person's record; nil where there is none.
local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(held[1])
  local v = held[1]
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
local subject, fingerprint, _, has_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
-- read_held returns that fingerprint, '' for none.
local before_that repeat -- read_held(held[2])
  local v = held[2]
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then before_that = '' break end
  before_that = v:sub(1, 8)
until true
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
return { ARGV[1], subject or '', (fingerprint or '') .. before_that, person }
