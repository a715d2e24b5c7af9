-- Code generated from lua/family_of_request.lua by flatten; DO NOT EDIT.
--
-- Returns the family that a request was about.
--
-- KEYS   1 the request
-- ARGV   1 number of the call
-- Result {number of the call, family or ''}

return { ARGV[1], redis.call('GET', KEYS[1]) or '' }
