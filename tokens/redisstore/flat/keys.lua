-- Code generated from lua/keys.lua by flatten; DO NOT EDIT.
--
-- Returns the sealed signing keys.
--
-- KEYS   1 signing keys: 'version', 'sealed'
-- ARGV   1 number of the call
-- Result {number of the call, version or '0', sealed or ''}

local k = redis.call('HMGET', KEYS[1], 'version', 'sealed')
return { ARGV[1], k[1] or '0', k[2] or '' }
