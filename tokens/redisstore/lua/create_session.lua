-- Begins a session and writes the profile. A profile with another fingerprint
-- means that the password was changed: then all that the user had ends.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 codes of the user
--        4 the families that the last sign-out everywhere has ended
--        5 watermarks of the clients (not in a cluster, and so the next)   6 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms    3 session   4 lifetime ms   5 profile   6 fingerprint   7 session it replaces
--        8 deny for ms                          9 acr       10 everyone's watermark ms, as the caller knows it
-- Result {number of the call, session record, or '' for a user who is disabled, 1 or 0 for all that was before has ended}

local id = ARGV[3]
if entry(DISABLED) then
  own_refusal(KEYS[1])
  return { ARGV[1], '', 0 }
end
local g = read_grants()
local was = read_profile(redis.call('HGET', KEYS[1], 'p'))
local m = marks()

if was and was.fingerprint ~= ARGV[6] then
  -- What was begun under the old password would be good again from now on.
  m = end_all(g, m, tonumber(ARGV[8]), id, KEYS[3], KEYS[4])
else
  forget(g, g.expired)
end
local before, root = g.sessions[ARGV[7]]
if ARGV[7] ~= id and before then
  root = before.root or ARGV[7]
  forget(g, { ARGV[7] })
end
local had = left(KEYS[1])

local s = g.sessions[id] -- the same call sent again
if not s then
  local auth = math.floor(issue_at(m, math.max(tonumber(ARGV[10]), everyone(KEYS[5]) * 1000), KEYS[6]) / 1000)
  s = { auth = auth, expires = end_of(auth * 1000, tonumber(ARGV[4])), used = auth, root = root, acr = ARGV[9] }
  g.sessions[id] = s
end
local record = write_session(s)
write_profile(was, ARGV[6], ARGV[5])
redis.call('HSET', KEYS[1], id, record)
settle(g, had)
return { ARGV[1], record, m.before ~= 0 and m.attempt == id and 1 or 0 }
