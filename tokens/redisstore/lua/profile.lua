-- Returns the profile of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, profile, or false if there is none}

local profile = read_profile(redis.call('HGET', KEYS[1], 'p'))
return { ARGV[1], profile and profile.text or false }
