-- Code generated from lua/import_begin.lua by flatten; DO NOT EDIT.
--
-- Marks a store, of which nothing but an import that has not finished may be there.
--
-- KEYS   1 what the store knows of itself
-- ARGV   1 number of the call   2 id of the import
-- Result {number of the call, NEW, AGAIN, OTHER or TAKEN}

local NEW, AGAIN, OTHER, TAKEN = 0, 1, 2, 3

local was = redis.call('HMGET', KEYS[1], 'version', 'importing')
if was[1] then return { ARGV[1], TAKEN } end
if was[2] then return { ARGV[1], was[2] == ARGV[2] and AGAIN or OTHER } end
redis.call('HSET', KEYS[1], 'importing', ARGV[2])
return { ARGV[1], NEW }
