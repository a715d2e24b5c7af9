-- Keeps the metadata of a client in the place of what was there, or removes that.
--
-- KEYS   1 the document: version; until, in seconds; text
-- ARGV   1 number of the call   2 for how long ms   3 '1' to keep, '0' to remove   4 text
-- Result {number of the call}

if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
  return { ARGV[1] }
end
local till = end_of(now, tonumber(ARGV[2]))
redis.call('SET', KEYS[1], struct.pack('>BI4', 1, till) .. ARGV[4])
lengthen(KEYS[1], -2, till * 1000)
return { ARGV[1] }
