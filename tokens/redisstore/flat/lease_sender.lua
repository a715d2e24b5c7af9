-- Code generated from lua/lease_sender.lua by flatten; DO NOT EDIT.
--
-- Makes a node the one that sends, for a while, unless another one is.
--
-- KEYS   1 the node that sends
-- ARGV   1 number of the call   2 node   3 lease ms
-- Result {number of the call, 1 or 0}

local sender = redis.call('GET', KEYS[1])
if sender and sender ~= ARGV[2] then
  do -- own_refusal_of(KEYS[1])
    local value = KEYS[1]
    redis.call('SETRANGE', value, 0, '')
  end
  return { ARGV[1], 0 }
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', tonumber(ARGV[3]))
return { ARGV[1], 1 }
