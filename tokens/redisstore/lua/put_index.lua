-- Notes a login under a name that a provider has for it.
--
-- KEYS   1 the name: version; user (16), root (8) and until, in seconds, 0 for good, of each login, the oldest first
-- ARGV   1 number of the call   2 user and root   3 lifetime ms, 0 for good
-- Result {number of the call}

local MOST_INDEXED = 50 -- storage.MaxIndexed

local v = redis.call('GET', KEYS[1]) or '\1'
if v:byte(1) ~= 1 or #v % 28 ~= 1 then unreadable(v, 1) end
local kept = {}
for i = 2, #v, 28 do
  local ends = struct.unpack('>I4', v, i + 24)
  if v:sub(i, i + 23) ~= ARGV[2] and (ends == 0 or now < ends * 1000) then table.insert(kept, v:sub(i, i + 27)) end
end
local till = end_of(now, tonumber(ARGV[3]))
table.insert(kept, ARGV[2] .. struct.pack('>I4', till))
local first = math.max(1, #kept + 1 - MOST_INDEXED)
for i = first, #kept do
  local ends = struct.unpack('>I4', kept[i], 25)
  till = (till == 0 or ends == 0) and 0 or math.max(till, ends)
end
redis.call('SET', KEYS[1], '\1' .. table.concat(kept, '', first))
if till ~= 0 then lengthen(KEYS[1], -2, till * 1000) end
return { ARGV[1] }
