-- Keeps the metadata of a client, or that there is none any more, unless what is there is newer.
-- Of too many the first in order go.
--
-- KEYS   1 documents (lua/document_record.lua)   2 their ids, in the order in which they go
-- ARGV   1 number of the call   2 id   3 for how long ms   4 as of when ms   5 '1' for a client that an operator expects
--        6 how much later it goes ms   7 how many there may be   8 text, '' where there is none any more
-- Result {number of the call, 1 if it is kept}

local id, at = ARGV[2], tonumber(ARGV[4])
local was = read_document(redis.call('HGET', KEYS[1], id))
if was and was > at then return { ARGV[1], 0 } end
local had = redis.call('PTTL', KEYS[1])
local till = end_of(now, tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], id, struct.pack(DOCUMENT, 2, till, at, tonumber(ARGV[5])) .. ARGV[8])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[6]), id)
if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[7]) then
  redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
end
lengthen(KEYS[1], had, till * 1000, KEYS[2])
return { ARGV[1], 1 }
