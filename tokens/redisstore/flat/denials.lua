-- Code generated from lua/denials.lua by flatten; DO NOT EDIT.
--
-- Returns what is denied of some users. Guarded routes wait for it, so it only
-- fetches; whoever asked looks at the ends.
--
-- KEYS   what is denied of each user
-- ARGV   1 number of the call
-- Result {number of the call, now ms, {field, value, field, value, ...} for each key}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local answer = { ARGV[1], now }
for i, key in ipairs(KEYS) do
  answer[i + 2] = redis.call('HGETALL', key)
end
return answer
