-- Code generated from lua/watermarks.lua by flatten; DO NOT EDIT.
--
-- Returns the watermarks of all clients; whoever asked looks at the ends.
--
-- KEYS   1 watermarks of the clients
-- ARGV   1 number of the call
-- Result {number of the call, now ms, {client, record, client, record, ...}}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

return { ARGV[1], now, redis.call('HGETALL', KEYS[1]) }
