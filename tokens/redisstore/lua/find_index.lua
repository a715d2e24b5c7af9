-- Returns the logins under a name.
--
-- KEYS   1 the name
-- ARGV   1 number of the call
-- Result {number of the call, now ms, record or ''}

local v = redis.call('GET', KEYS[1])
if not v then own_refusal_of(KEYS[1]) end
return { ARGV[1], now, v or '' }
