-- Code generated from lua/feed_append.lua by flatten; DO NOT EDIT.
--
-- Appends a line to the feed. Room is made first: so the line needs no more
-- memory than there was, and a full Redis takes it.
--
-- KEYS   1 the end of the feed: 'born' ms, 'number' and 'last', the id, of the newest line   2 the lines: born, number, line
-- ARGV   1 number of the call   2 line   3 how many lines are kept, about
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ARGV[3])
local number = redis.call('HINCRBY', KEYS[1], 'number', 1)
local born = redis.call('HGET', KEYS[1], 'born')
if not born then
  born = string.format('%.0f', now)
  redis.call('HSET', KEYS[1], 'born', born)
end
local id = redis.call('XADD', KEYS[2], '*', 'b', born, 'n', string.format('%.0f', number), 'l', ARGV[2])
redis.call('HSET', KEYS[1], 'last', id)
return { ARGV[1] }
