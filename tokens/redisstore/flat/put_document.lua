-- Code generated from lua/put_document.lua by flatten; DO NOT EDIT.
--
-- Keeps the metadata of a client, or that there is none any more, unless what is there is newer.
-- Of too many the first in order go.
--
-- KEYS   1 documents (lua/document_record.lua)   2 their ids, in the order in which they go
-- ARGV   1 number of the call   2 id   3 for how long ms   4 as of when ms   5 '1' for a client that an operator expects
--        6 how much later it goes ms   7 how many there may be   8 text, '' where there is none any more
-- Result {number of the call, 1 if it is kept}

-- version; until, in seconds; as of when, in milliseconds; 1 for a client that an operator expects; then the text, '' where there is none any more
local DOCUMENT, DOCUMENT_SIZE = '>BI4I6B', 12

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local id, at = ARGV[2], tonumber(ARGV[4])
-- read_document returns as of when a document is, and its text; nothing where there is none that counts.
local was repeat -- read_document(redis.call('HGET', KEYS[1], id))
  local v = redis.call('HGET', KEYS[1], id)
  if not v then was = nil break end
  if v:byte(1) ~= 2 or #v < DOCUMENT_SIZE then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, till, asked = struct.unpack(DOCUMENT, v)
  if now >= till * 1000 then was = nil break end
  was = asked, v:sub(DOCUMENT_SIZE + 1)
until true
if was and was > at then return { ARGV[1], 0 } end
local had = redis.call('PTTL', KEYS[1])
-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local till repeat -- end_of(now, tonumber(ARGV[3]))
  local start, lifetime = now, tonumber(ARGV[3])
  if lifetime <= 0 then till = 0 break end
  till = math.ceil((start + lifetime) / 1000)
until true
redis.call('HSET', KEYS[1], id, struct.pack(DOCUMENT, 2, till, at, tonumber(ARGV[5])) .. ARGV[8])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[6]), id)
if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[7]) then
  redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
end
-- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
-- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
-- write creates lives for ever until then. It gives a little more, so that not
-- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
do -- lengthen(KEYS[1], had, till * 1000, KEYS[2])
  local key, till, beside = KEYS[1], till * 1000, KEYS[2]
  if till == 0 then
    if had >= 0 then redis.call('PERSIST', key) end
    if had >= 0 and beside then redis.call('PERSIST', beside) end
  elseif had == -2 or had >= 0 and now + had < till then
    local more = math.min(math.max(till - now, 0) / 16, 86400000)
    local ends_at = math.ceil(till + more) - SHIFT
    redis.call('PEXPIREAT', key, ends_at)
    if beside then redis.call('PEXPIREAT', beside, ends_at) end
  end
end
return { ARGV[1], 1 }
