-- Returns when the store was born, as every node asks each second.
--
-- KEYS   1 what the store knows of itself
-- ARGV   1 number of the call
-- Result {number of the call, now ms, born ms, or 0 for a store that has lost its birth mark}

return { ARGV[1], now, tonumber(redis.call('HGET', KEYS[1], 'born') or 0) }
