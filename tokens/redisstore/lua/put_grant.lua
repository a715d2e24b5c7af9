-- Keeps the text of a grant. The id is its hash, so what is there is the same,
-- and is only kept longer.
--
-- KEYS   1 the grant: version; until, in seconds, 0 for good; text
-- ARGV   1 number of the call   2 for how long ms, 0 for good   3 text
-- Result {number of the call}

local till = end_of(now, tonumber(ARGV[2]))
local v = redis.call('GET', KEYS[1])
if v then
  if v:byte(1) ~= 2 or #v < 5 then unreadable(v, 2) end
  local _, was = struct.unpack('>BI4', v)
  if was == 0 or till ~= 0 and till < was then till = was end
end
redis.call('SET', KEYS[1], struct.pack('>BI4', 2, till) .. ARGV[3])
if till ~= 0 then lengthen(KEYS[1], -2, till * 1000) end
return { ARGV[1] }
