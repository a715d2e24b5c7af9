-- Returns the profile of a user.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call   2 grace ms (not used)
-- Result {number of the call, subject, fingerprint (and behind it the one that is held) and person, '' for none}

local held = redis.call('HMGET', KEYS[1], 'p', HELD)
local subject, fingerprint, _, has_person = read_profile(held[1])
local before_that = read_held(held[2])
local person = read_person(KEYS[2], has_person)
return { ARGV[1], subject or '', (fingerprint or '') .. before_that, person }
