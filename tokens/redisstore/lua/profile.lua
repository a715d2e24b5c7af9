-- Returns the profile of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, profile, or false if there is none}

local v = redis.call('HGET', KEYS[1], 'p')
local profile = read_profile(v)
return { ARGV[1], profile or false }
