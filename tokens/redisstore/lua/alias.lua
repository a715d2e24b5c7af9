-- Returns an alias.
--
-- KEYS   1 aliases
-- ARGV   1 number of the call   2 tag
-- Result {number of the call, record or ''}

local v = redis.call('HGET', KEYS[1], ARGV[2])
if not v then own_refusal(KEYS[1]) end
return { ARGV[1], v or '' }
