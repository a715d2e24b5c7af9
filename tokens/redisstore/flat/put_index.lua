-- Code generated from lua/put_index.lua by flatten; DO NOT EDIT.
--
-- Notes a login under a name that a provider has for it.
--
-- KEYS   1 the name: version; user (16), root (8) and until, in seconds, 0 for good, of each login, the oldest first
-- ARGV   1 number of the call   2 user and root   3 lifetime ms, 0 for good
-- Result {number of the call}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local MOST_INDEXED = 50 -- storage.MaxIndexed

local v = redis.call('GET', KEYS[1]) or '\1'
if v:byte(1) ~= 1 or #v % 28 ~= 1 then
  -- unreadable ends the script, before it has written what it decides about.
  do -- unreadable(v, 1)
    local record, version = v, 1
    error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
  end
end
local kept = {}
for i = 2, #v, 28 do
  local ends = struct.unpack('>I4', v, i + 24)
  if v:sub(i, i + 23) ~= ARGV[2] and (ends == 0 or now < ends * 1000) then table.insert(kept, v:sub(i, i + 27)) end
end
-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local till repeat -- end_of(now, tonumber(ARGV[3]))
  local start, lifetime = now, tonumber(ARGV[3])
  if lifetime <= 0 then till = 0 break end
  till = math.ceil((start + lifetime) / 1000)
until true
table.insert(kept, ARGV[2] .. struct.pack('>I4', till))
local first = math.max(1, #kept + 1 - MOST_INDEXED)
for i = first, #kept do
  local ends = struct.unpack('>I4', kept[i], 25)
  till = (till == 0 or ends == 0) and 0 or math.max(till, ends)
end
redis.call('SET', KEYS[1], '\1' .. table.concat(kept, '', first))
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
