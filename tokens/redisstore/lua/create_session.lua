-- Begins a session and writes the profile. A profile with another fingerprint
-- means that the password was changed: then all that the user had ends, consents too. Of too
-- many sessions the least used end, and the applications are told; what they hold goes on.
-- Of what is known of the person the newer stays.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person   4 codes of the user   5 their bodies
--        6 the families that the last sign-out everywhere has ended   7 what providers gave   8 consents of the user
--        9 applications to tell
--       10 watermarks of the clients (not in a cluster, and so the next)  11 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms    3 session   4 lifetime ms   5 subject   6 fingerprint   7 session it replaces
--        8 deny for ms                          9 acr       10 everyone's watermark ms, as the caller knows it
--       11 authenticated at s, 0 for not known 12 person, '' for nothing known; as of 0 for now
--       13 amr       14 what a provider gave at this login, '' for nothing   15 hold ms
-- Result {number of the call, session record, or '' for a user who is disabled and for a fingerprint that is held,
--         1 or 0 for all that was before has ended, or for the latter, logouts to tell, and dropped}

local MOST_SESSIONS = 50 -- storage.MaxSessions

local id = ARGV[3]
local disabled = entry(DISABLED)
if disabled then
  own_refusal(KEYS[1])
  return { ARGV[1], '', 0, 0, 0 }
end
local g = { families = {}, ends = {}, sessions = {}, profile = {}, expired = {} }
local held = redis.call('HMGET', KEYS[1], 'p', HELD)
local was, fingerprint, pieces, had_person = read_profile(held[1])
local before_that = read_held(held[2])
if was and fingerprint ~= ARGV[6] and before_that == ARGV[6] then
  own_refusal(KEYS[1])
  return { ARGV[1], '', 1, 0, 0 }
end
local m = marks()
local roots = {} -- of which the applications are to be told

if was and fingerprint ~= ARGV[6] then
  -- What was begun under the old password would be good again from now on.
  g = read_grants()
  m = end_all(g, m, tonumber(ARGV[8]), id, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
  redis.call('UNLINK', KEYS[8])
  roots = noted_roots(KEYS[9])
else
  -- The families are not asked: there may be many, and a login ends none of them.
  local ids = {}
  for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
    if #other == 8 then table.insert(ids, other) end
  end
  local records = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
  for i, other in ipairs(ids) do
    local session = read_session(records[i])
    g.sessions[other] = session
    local dead = over(session.expires * 1000)
    if dead then table.insert(g.expired, other) end
  end
  forget(g, g.expired)
end
local before, root = g.sessions[ARGV[7]]
if ARGV[7] ~= id and before then
  root = before.root or ARGV[7]
  forget(g, { ARGV[7] })
end
local had = redis.call('PTTL', KEYS[1])

local s = g.sessions[id] -- the same call sent again
if not s then
  local all_ended = everyone(KEYS[10])
  local at = issue_at(m, math.max(tonumber(ARGV[10]), all_ended * 1000), KEYS[11])
  local begun = math.floor(at / 1000)
  local till = end_of(begun * 1000, tonumber(ARGV[4]))
  s = { begun = begun, auth = math.min(begun, tonumber(ARGV[11])), expires = till, used = begun, root = root, amr = ARGV[13], acr = ARGV[9] }
  g.sessions[id] = s
end

local others, excess = {}, {}
for other, o in pairs(g.sessions) do
  if other ~= id then
    o.id = other
    table.insert(others, o)
  end
end
if #others >= MOST_SESSIONS then
  table.sort(others, function(a, b)
    if a.used ~= b.used then return a.used < b.used end
    if a.begun ~= b.begun then return a.begun < b.begun end
    return a.id < b.id
  end)
  for i = 1, #others + 1 - MOST_SESSIONS do
    excess[i], roots[i] = others[i].id, others[i].root or others[i].id
  end
  forget(g, excess)
end
local told, dropped = 0, 0
if #roots > 0 then told, dropped = tell(KEYS[9], roots, '') end
local record = write_session(s)
local person = ARGV[12]
local asked = as_of(person)
if person ~= '' and asked == 0 then
  asked, person = now, person:sub(1, 1) .. struct.pack('>I6', now) .. person:sub(8)
end
-- A record that is missing is written anew, and so it is found no fault with here.
local known = had_person and fingerprint == ARGV[6] and redis.call('GET', KEYS[3]) or ''
local known_as_of = as_of(known)
if known_as_of > (asked == 0 and now or asked) then person = known end
write_profile(pieces or 0, ARGV[6], ARGV[5], person ~= '')
local hold_until = math.floor((now + tonumber(ARGV[15])) / 1000)
if was and fingerprint ~= ARGV[6] and hold_until * 1000 > now then
  redis.call('HSET', KEYS[1], HELD, fingerprint .. struct.pack('>I4', hold_until))
elseif held[2] and (fingerprint ~= ARGV[6] or before_that == '') then
  redis.call('HDEL', KEYS[1], HELD)
end
redis.call('HSET', KEYS[1], id, record)
if had == -1 then g = read_grants() end
settle(g, had, KEYS[3])
write_person(KEYS[3], had_person, person)

-- What a provider gave belongs to the root, in the place of what the login before brought,
-- which stays where this one brought nothing.
local login_root = s.root or id
if ARGV[14] ~= '' then
  local upstream = read_upstream(KEYS[7], login_root)
  if not upstream or upstream.session ~= id then -- else it is the same call sent again
    upstream = { seq = 1, lease = 0, attempt = NONE, asked = now, checked = now, doubtful = 0, thin = 0, session = id, sealed = ARGV[14] }
    bound_upstreams(KEYS[7], login_root)
    write_upstream(KEYS[7], login_root, upstream)
  end
end
return { ARGV[1], record, m.before ~= 0 and m.attempt == id and 1 or 0, told, dropped }
