-- Code generated from lua/live_family.lua by flatten; DO NOT EDIT.
--
-- Returns one family of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 family
-- Result {number of the call, now ms, record or ''}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

return { ARGV[1], now, redis.call('HGET', KEYS[1], ARGV[2]) or '' }
