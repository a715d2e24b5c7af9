-- Writes all that a user holds, as scan_held.lua has returned it, over what an
-- import has written before.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call   2 grace ms   3 '1' or '0' for whether there is a profile   4 fingerprint   5 subject
--        6 person, '' for nothing known       7 id of a family or session   8 its record   and so on
-- Result {number of the call}

redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[3] == '1' then write_profile(0, ARGV[4], ARGV[5], ARGV[6] ~= '') end
for i = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
local g = read_grants()
settle(g, -2, KEYS[2])
write_person(KEYS[2], false, ARGV[6])
return { ARGV[1] }
