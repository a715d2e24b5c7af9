-- Code generated from lua/import_finish.lua by flatten; DO NOT EDIT.
--
-- Makes a store that was imported one that can be opened.
--
-- KEYS   1 what the store knows of itself
-- ARGV   1 number of the call   2 id of the import   3 born ms   4 longest access token lifetime ms   5 ids of the secrets   6 the issuers, lines
-- Result {number of the call, 1 or 0 for whether it was this import's}

local was = redis.call('HMGET', KEYS[1], 'version', 'importing', 'born')
if not was[2] then return { ARGV[1], was[3] == ARGV[3] and 1 or 0 } end -- the same call sent again
if was[2] ~= ARGV[2] or was[1] then return { ARGV[1], 0 } end
redis.call('HSET', KEYS[1], 'version', '1', 'born', ARGV[3], 'lifetime', ARGV[4], 'secrets', ARGV[5], 'issuers', ARGV[6])
redis.call('HDEL', KEYS[1], 'importing')
return { ARGV[1], 1 }
