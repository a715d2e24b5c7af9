-- Code generated from lua/append_history.lua by flatten; DO NOT EDIT.
--
-- Adds a note to the history of a family: the first note stays, and the newest.
--
-- KEYS   1 the history
-- ARGV   1 note   2 how many notes are kept   3 for how long, in ms
-- Result how many there were, with this one

local n = redis.call('RPUSH', KEYS[1], ARGV[1])
if n > tonumber(ARGV[2]) then
  local first = redis.call('LPOP', KEYS[1])
  redis.call('LTRIM', KEYS[1], n - ARGV[2], -1)
  redis.call('LPUSH', KEYS[1], first)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return n
