-- Code generated from lua/find_index.lua by flatten; DO NOT EDIT.
--
-- Returns the logins under a name.
--
-- KEYS   1 the name
-- ARGV   1 number of the call
-- Result {number of the call, now ms, record or ''}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local v = redis.call('GET', KEYS[1])
if not v then
  do -- own_refusal_of(KEYS[1])
    local value = KEYS[1]
    redis.call('SETRANGE', value, 0, '')
  end
end
return { ARGV[1], now, v or '' }
