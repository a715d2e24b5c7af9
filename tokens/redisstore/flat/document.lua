-- Code generated from lua/document.lua by flatten; DO NOT EDIT.
--
-- Returns the metadata of a client.
--
-- KEYS   1 the document: version; until, in seconds; text
-- ARGV   1 number of the call
-- Result {number of the call, text, or false if there is none}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local v, till, _ = redis.call('GET', KEYS[1])
if v then
  if v:byte(1) ~= 1 or #v < 5 then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  _, till = struct.unpack('>BI4', v)
end
if not v or now >= till * 1000 then
  do -- own_refusal_of(KEYS[1])
    local value = KEYS[1]
    redis.call('SETRANGE', value, 0, '')
  end
  return { ARGV[1], false }
end
return { ARGV[1], v:sub(6) }
