-- Code generated from lua/moved.lua by flatten; DO NOT EDIT.
--
-- Tells whether the store was exported and decides nothing any more, and may change that.
--
-- KEYS   1 what the store knows of itself: 'moved'
-- ARGV   1 number of the call   2 '1' or '0' for whether it shall be moved from now on; '' to leave it as it is
-- Result {number of the call, 1 or 0 for whether it was moved}

local was = redis.call('HGET', KEYS[1], 'moved')
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'moved', '1')
elseif ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], 'moved')
end
return { ARGV[1], was and 1 or 0 }
