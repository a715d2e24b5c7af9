-- Code generated from lua/list_families.lua by flatten; DO NOT EDIT.
--
-- Returns all families of a user.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call
-- Result {number of the call, now ms, {id, record, id, record, ...}}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local all, families = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  if #all[i] == 16 then
    table.insert(families, all[i])
    table.insert(families, all[i + 1])
  end
end
return { ARGV[1], now, families }
