-- Code generated from lua/history.lua by flatten; DO NOT EDIT.
--
-- Returns the notes of some families.
--
-- KEYS   the history of each family
-- ARGV   1 number of the call
-- Result {number of the call, {note, ...} for each key}

local answer = { ARGV[1] }
for i, key in ipairs(KEYS) do
  answer[i + 1] = redis.call('LRANGE', key, 0, -1)
end
return answer
