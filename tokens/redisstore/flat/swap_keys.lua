-- Code generated from lua/swap_keys.lua by flatten; DO NOT EDIT.
--
-- Writes the sealed signing keys if their version is still the given one.
--
-- KEYS   1 signing keys: 'version', 'sealed'
-- ARGV   1 number of the call   2 version   3 the version after it   4 sealed
-- Result {number of the call, 1 or 0 for swapped}

local k = redis.call('HMGET', KEYS[1], 'version', 'sealed')
local version = k[1] or '0'
if version == ARGV[2] then
  redis.call('HSET', KEYS[1], 'version', ARGV[3], 'sealed', ARGV[4])
  return { ARGV[1], 1 }
end
-- The same call sent again has won already.
return { ARGV[1], version == ARGV[3] and k[2] == ARGV[4] and 1 or 0 }
