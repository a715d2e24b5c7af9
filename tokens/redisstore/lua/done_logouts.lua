-- Says what became of logouts, under the lease of the attempt.
--
-- KEYS   1 applications to tell
-- ARGV   1 number of the call   2 attempt   3 root and client   4 when to try again ms from now, -1 for never
--        5 1 or 0 for whether it was tried
-- Result {number of the call, till when it was leased ms or 0, next due ms or 0}

local v = redis.call('HGET', KEYS[1], ARGV[3])
local logout = { attempt = NONE, due = 0 }
if v then logout = read_logout(v) end
local leased = 0
if logout.attempt == ARGV[2] then
  leased = logout.due
  local after = tonumber(ARGV[4])
  if after < 0 then
    redis.call('HDEL', KEYS[1], ARGV[3])
  else
    redis.call('HSET', KEYS[1], ARGV[3], struct.pack(LOGOUT, 1, logout.since, now + after, math.min(255, logout.tries + tonumber(ARGV[5])), NONE))
  end
end
local next_due, others, noted = 0, 0, 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if #field == 16 then
    local one = redis.call('HGET', KEYS[1], field)
    local other = read_logout(one)
    others = others + 1
    if next_due == 0 or other.due < next_due then next_due = other.due end
  elseif #field == 9 then
    noted = noted + 1
  end
end
if others + noted == 0 then redis.call('UNLINK', KEYS[1]) end
if leased == 0 then own_refusal(KEYS[1]) end
return { ARGV[1], leased, next_due }
