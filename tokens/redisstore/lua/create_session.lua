-- Begins a session and writes the profile. A profile with another fingerprint
-- means that the password was changed: then all that the user had ends.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 codes of the user
--        4 the families that the last sign-out everywhere has ended
-- ARGV   1 number of the call    2 grace ms    3 session   4 lifetime ms   5 profile   6 fingerprint   7 session it replaces
--        8 deny for ms
-- Result {number of the call, session record}

local id = ARGV[3]
local g = read_grants()
local was = read_profile(redis.call('HGET', KEYS[1], 'p'))
local m = marks()

if was and was.fingerprint ~= ARGV[6] then
  -- What was begun under the old password would be good again from now on.
  m = end_all(g, m, tonumber(ARGV[8]), id, KEYS[3], KEYS[4])
else
  forget(g, g.expired)
end
if ARGV[7] ~= id and g.sessions[ARGV[7]] then forget(g, { ARGV[7] }) end
local had = left(KEYS[1])

local s = g.sessions[id] -- the same call sent again
if not s then
  local auth = math.floor(issue_at(m, 0) / 1000)
  s = { auth = auth, expires = end_of(auth * 1000, tonumber(ARGV[4])), used = auth }
  g.sessions[id] = s
end
local record = write_session(s)
write_profile(was, ARGV[6], ARGV[5])
redis.call('HSET', KEYS[1], id, record)
settle(g, had)
return { ARGV[1], record }
