-- Code generated from lua/born.lua by flatten; DO NOT EDIT.
--
-- Returns when the store was born, as every node asks each second, and keeps
-- when the node has last vouched for itself (storage.BeatRequest).
--
-- KEYS   1 what the store knows of itself   2 the nodes that have not taken leave
-- ARGV   1 number of the call   2 node, or ''   3 'vouch', 'leave' or ''   4 how many nodes are kept   5 and for how long, ms
-- Result {number of the call, now ms, born ms, or 0 for a store that has lost its birth mark}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- A server that takes no writes answers all the same.
if ARGV[3] == 'leave' then
  redis.pcall('HDEL', KEYS[2], ARGV[2])
elseif ARGV[3] == 'vouch' and redis.pcall('HSET', KEYS[2], ARGV[2], now) == 1 then
  -- forget_nodes keeps the hash small: it grows with each node that dies.
  repeat -- forget_nodes(tonumber(ARGV[4]), tonumber(ARGV[5]))
    local most, kept = tonumber(ARGV[4]), tonumber(ARGV[5])
    local all, nodes = redis.call('HGETALL', KEYS[2]), {}
    for i = 1, #all, 2 do
      nodes[#nodes + 1] = { mark = all[i], at = tonumber(all[i + 1]) }
    end
    table.sort(nodes, function(a, b) return a.at > b.at end)
    for i, node in ipairs(nodes) do
      if i > most or now - node.at > kept then redis.call('HDEL', KEYS[2], node.mark) end
    end
  until true
end
return { ARGV[1], now, tonumber(redis.call('HGET', KEYS[1], 'born') or 0) }
