-- Returns one family of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 family
-- Result {number of the call, now ms, record or ''}

return { ARGV[1], now, redis.call('HGET', KEYS[1], ARGV[2]) or '' }
