-- Writes what a person has decided about a request: of any number of calls one does.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 user   4 1 for approved   5 grace ms   6 attempt
-- Result {number of the call, 1 or 0 for decided}

local d = read_device()
if not d or d.code ~= ARGV[2] then
  own_refusal_of(KEYS[1])
  return { ARGV[1], 0 }
end
if d.state ~= PENDING then return { ARGV[1], d.decision == ARGV[6] and 1 or 0 } end
d.state, d.user, d.decision = DENIED, ARGV[3], ARGV[6]
if ARGV[4] == '1' then
  d.state, d.expires = APPROVED, math.max(d.expires, now + tonumber(ARGV[5]))
end
write_device(d)
return { ARGV[1], 1 }
