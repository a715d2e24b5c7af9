-- Code generated from lua/import_fields.lua by flatten; DO NOT EDIT.
--
-- Writes a hash over what an import has written before.
--
-- KEYS   1 the hash
-- ARGV   1 number of the call   2 end of the key ms, 0 for none   3 field   4 value   and so on
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

redis.call('DEL', KEYS[1])
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
-- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
-- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
-- write creates lives for ever until then. It gives a little more, so that not
-- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
do -- lengthen(KEYS[1], -2, tonumber(ARGV[2]))
  local key, had, till, beside = KEYS[1], -2, tonumber(ARGV[2])
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
