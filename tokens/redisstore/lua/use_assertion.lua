-- Uses up an assertion of a client: of any number of calls one gets FIRST.
--
-- KEYS   1 the assertion: version, attempt
-- ARGV   1 number of the call   2 until ms   3 attempt
-- Result {number of the call, storage.AssertionOutcome}

local USED, FIRST, OVER = 0, 1, 2

local till, attempt = tonumber(ARGV[2]), ARGV[3]
if now >= till then
  return { ARGV[1], OVER }
end
local v = redis.call('GET', KEYS[1])
if not v then
  redis.call('SET', KEYS[1], '\1' .. attempt, 'PX', till - now)
  return { ARGV[1], FIRST }
end
if v:byte(1) ~= 1 or #v ~= 9 then unreadable(v, 1) end
own_refusal_of(KEYS[1])
return { ARGV[1], v:sub(2) == attempt and FIRST or USED }
