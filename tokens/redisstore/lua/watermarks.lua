-- Returns the watermarks of all clients; whoever asked looks at the ends.
--
-- KEYS   1 watermarks of the clients
-- ARGV   1 number of the call
-- Result {number of the call, now ms, {client, record, client, record, ...}}

return { ARGV[1], now, redis.call('HGETALL', KEYS[1]) }
