-- Returns when a node has last vouched for itself.
--
-- KEYS   1 the nodes that have not taken leave
-- ARGV   1 number of the call   2 node
-- Result {number of the call, now ms, vouched ms, or 0 for a node that is not among them}

local vouched = redis.call('HGET', KEYS[1], ARGV[2])
if not vouched then own_refusal(KEYS[1]) end
return { ARGV[1], now, tonumber(vouched or 0) }
