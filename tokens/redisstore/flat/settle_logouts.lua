-- Code generated from lua/settle_logouts.lua by flatten; DO NOT EDIT.
--
-- Says when a user is to be looked at next, unless somebody has said sooner since.
--
-- KEYS   1 users who may have logouts to tell
-- ARGV   1 number of the call   2 user, with '?' before   3 till when they were put off ms   4 next ms, 0 for not
-- Result {number of the call}

local score, next_look = redis.call('ZSCORE', KEYS[1], ARGV[2]), tonumber(ARGV[4])
local due = score and tonumber(score) or 0
if score and due >= tonumber(ARGV[3]) and (due == tonumber(ARGV[3]) or ARGV[2]:sub(1, 1) ~= '?') then
  if next_look == 0 then
    redis.call('ZREM', KEYS[1], ARGV[2])
  else
    redis.call('ZADD', KEYS[1], next_look, ARGV[2])
  end
elseif next_look > 0 and (not score or due > next_look) then
  redis.call('ZADD', KEYS[1], next_look, ARGV[2])
end
return { ARGV[1] }
