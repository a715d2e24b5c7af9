-- Code generated from lua/put_document.lua by flatten; DO NOT EDIT.
--
-- Keeps the metadata of a client in the place of what was there, or removes that.
--
-- KEYS   1 the document: version; until, in seconds; text
-- ARGV   1 number of the call   2 for how long ms   3 '1' to keep, '0' to remove   4 text
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
  return { ARGV[1] }
end
-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local till repeat -- end_of(now, tonumber(ARGV[2]))
  local start, lifetime = now, tonumber(ARGV[2])
  if lifetime <= 0 then till = 0 break end
  till = math.ceil((start + lifetime) / 1000)
until true
redis.call('SET', KEYS[1], struct.pack('>BI4', 1, till) .. ARGV[4])
-- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
-- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
-- write creates lives for ever until then. It gives a little more, so that not
-- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
do -- lengthen(KEYS[1], -2, till * 1000)
  local key, had, till, beside = KEYS[1], -2, till * 1000
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
return { ARGV[1] }
