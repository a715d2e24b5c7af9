-- Code generated from lua/expect_logouts.lua by flatten; DO NOT EDIT.
--
-- Notes that a user may have logouts to tell: before the end that writes them, so that none
-- is lost, to be looked at when that is over for certain; and when they are there, at once.
--
-- KEYS   1 users who may have logouts to tell
-- ARGV   1 number of the call   2 user   3 when to look ms from now, 0 for when they are there
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local after = tonumber(ARGV[3])
if after > 0 then
  redis.call('ZADD', KEYS[1], now + after, '?' .. ARGV[2])
else
  local due = redis.call('ZSCORE', KEYS[1], ARGV[2])
  if not due or tonumber(due) > now then redis.call('ZADD', KEYS[1], now, ARGV[2]) end
end
return { ARGV[1] }
