-- Code generated from lua/vouched.lua by flatten; DO NOT EDIT.
--
-- Returns when a node has last vouched for itself.
--
-- KEYS   1 the nodes that have not taken leave
-- ARGV   1 number of the call   2 node
-- Result {number of the call, now ms, vouched ms, or 0 for a node that is not among them}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local vouched = redis.call('HGET', KEYS[1], ARGV[2])
if not vouched then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], now, tonumber(vouched or 0) }
