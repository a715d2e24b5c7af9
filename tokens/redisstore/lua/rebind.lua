-- Gives the profile of a user another fingerprint, and changes nothing else.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 fingerprint that it has   3 fingerprint that it gets
-- Result {number of the call, 1 or 0 for whether it has that now}

local v = redis.call('HGET', KEYS[1], 'p')
local subject, fingerprint, pieces, has_person = read_profile(v)
if fingerprint == ARGV[2] then
  write_profile(pieces, ARGV[3], subject, has_person)
  return { ARGV[1], 1 }
end
if fingerprint ~= ARGV[3] then own_refusal(KEYS[1]) end
return { ARGV[1], fingerprint == ARGV[3] and 1 or 0 }
