-- Keeps the text of a grant, for good. The id is its hash, so what is there is the same.
--
-- KEYS   1 grants: id -> version, text
-- ARGV   1 number of the call   2 id   3 text
-- Result {number of the call}

redis.call('HSETNX', KEYS[1], ARGV[2], '\1' .. ARGV[3])
return { ARGV[1] }
