-- Returns users who may have logouts to tell, and puts them off for others.
--
-- KEYS   1 users who may have logouts to tell
-- ARGV   1 number of the call   2 lease ms   3 most
-- Result {number of the call, {users, '?' before those who may have some}, till when they are put off ms}

local users = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[3]))
local till = now + tonumber(ARGV[2])
for _, user in ipairs(users) do redis.call('ZADD', KEYS[1], till, user) end
return { ARGV[1], users, till }
