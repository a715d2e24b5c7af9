-- Code generated from lua/feed_end.lua by flatten; DO NOT EDIT.
--
-- Returns the end of the feed.
--
-- KEYS   1 the end of the feed: 'born' ms, 'number' and 'last', the id, of the newest line
-- ARGV   1 number of the call
-- Result {number of the call, born ms, number, id; '0', '0', '0-0' for a feed without lines}

local e = redis.call('HMGET', KEYS[1], 'born', 'number', 'last')
return { ARGV[1], e[1] or '0', e[2] or '0', e[3] or '0-0' }
