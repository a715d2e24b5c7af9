-- Code generated from lua/put_grant.lua by flatten; DO NOT EDIT.
--
-- Keeps the text of a grant. The id is its hash, so what is there is the same,
-- and is only kept longer.
--
-- KEYS   1 the grant: version; until, in seconds, 0 for good; text
-- ARGV   1 number of the call   2 for how long ms, 0 for good   3 text
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local till repeat -- end_of(now, tonumber(ARGV[2]))
  local start, lifetime = now, tonumber(ARGV[2])
  if lifetime <= 0 then till = 0 break end
  till = math.ceil((start + lifetime) / 1000)
until true
local v = redis.call('GET', KEYS[1])
if v then
  if v:byte(1) ~= 2 or #v < 5 then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, was = struct.unpack('>BI4', v)
  if was == 0 or till ~= 0 and till < was then till = was end
end
redis.call('SET', KEYS[1], struct.pack('>BI4', 2, till) .. ARGV[3])
if till ~= 0 then
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
end
return { ARGV[1] }
