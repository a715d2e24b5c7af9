-- Returns the text of a grant.
--
-- KEYS   1 grants: id -> version, text
-- ARGV   1 number of the call   2 id
-- Result {number of the call, text, or false if there is none}

local v = redis.call('HGET', KEYS[1], ARGV[2])
if not v then
  own_refusal(KEYS[1])
  return { ARGV[1], false }
end
if v:byte(1) ~= 1 then unreadable(v, 1) end
return { ARGV[1], v:sub(2) }
