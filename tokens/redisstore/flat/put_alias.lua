-- Code generated from lua/put_alias.lua by flatten; DO NOT EDIT.
--
-- Writes an alias, or removes it.
--
-- KEYS   1 aliases, by the tags of their subjects (storage.Alias.MarshalBinary)
-- ARGV   1 number of the call   2 tag   3 record, '' to remove it
-- Result {number of the call}

if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
end
return { ARGV[1] }
