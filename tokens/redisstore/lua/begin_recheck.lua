-- Leases the check of a login: of any number of calls one gets it.
--
-- KEYS   1 what providers gave
-- ARGV   1 number of the call   2 root of the login's sessions   3 how long an answer counts ms   4 lease ms   5 attempt
-- Result {number of the call, 1 for leased, 0 for nothing to ask with, 2 for leased to another, 3 for asked lately, 4 with a thin answer, number of what was given, session of the login, what was given or '',
--         asked ms, 1 or 0 for doubtful}

local every, attempt = tonumber(ARGV[3]), ARGV[5]
local upstream = read_upstream(KEYS[1], ARGV[2])
local mine = upstream and upstream.attempt == attempt and upstream.lease > now -- the same call sent again
if not mine and (not upstream or upstream.sealed == '' or upstream.lease > now
  or math.abs(now - upstream.checked) < every or math.abs(now - upstream.asked) < every / 10) then
  own_refusal(KEYS[1])
  local why = 0
  if upstream and upstream.lease > now then
    why = 2
  elseif upstream and upstream.sealed ~= '' then
    why = 3 + upstream.thin
  end
  return { ARGV[1], why, 0, NONE, '', 0, 0 }
end
if not mine then
  if upstream.lease ~= 0 then upstream.doubtful = 1 end -- that check never ended
  upstream.lease, upstream.attempt, upstream.asked = now + tonumber(ARGV[4]), attempt, now
end
write_upstream(KEYS[1], ARGV[2], upstream)
return { ARGV[1], 1, upstream.seq, upstream.session, upstream.sealed, upstream.asked, upstream.doubtful }
