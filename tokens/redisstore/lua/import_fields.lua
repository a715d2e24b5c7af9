-- Writes a hash over what an import has written before.
--
-- KEYS   1 the hash
-- ARGV   1 number of the call   2 end of the key ms, 0 for none   3 field   4 value   and so on
-- Result {number of the call}

redis.call('DEL', KEYS[1])
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
lengthen(KEYS[1], -2, tonumber(ARGV[2]))
return { ARGV[1] }
