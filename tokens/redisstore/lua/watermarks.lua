-- Returns the watermarks of all clients.
--
-- KEYS   1 watermarks of the clients
-- ARGV   1 number of the call
-- Result {number of the call, {client, record, client, record, ...}}

return { ARGV[1], redis.call('HGETALL', KEYS[1]) }
