-- Returns the profile of a user.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, subject, fingerprint and person, '' for none}

local v = redis.call('HGET', KEYS[1], 'p')
local subject, fingerprint, _, has_person = read_profile(v)
local person = read_person(KEYS[2], has_person)
return { ARGV[1], subject or '', fingerprint or '', person }
