-- Decides about one presented refresh token: the table of storage.Decide, with its writes.
--
-- It ends nothing before it is known whether the node that made the current
-- generation can say that it was answered: that is asked for elsewhere, and only
-- then (Store.Rotate).
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person
--        4 watermarks of the clients (not in a cluster, and so the next)   5 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms                     3 family        4 client          5 grant
--        6 presented generation  7 rotation '1', '0' or 'unused'        8 leeway ms     9 lifetime ms    10 idle lifetime ms
--       11 begun after ms       12 fingerprints, 8 each        13 deny for ms  14 attempt         15 settle ms
--       16 the node that made the current generation, where it is silent; '' where it is not; '?' where nobody has asked
--       17 since when it is silent, ms                       18 rules: the number of tags (1) of each, and the tags, 8 each
--       19 '1' to spare the family on a reuse
-- Result {number of the call, storage.RotateOutcome, issue at ms, family record or '', subject, fingerprint and person or ''}

local UNKNOWN, ROTATED, REPLAYED, UNCHANGED, HEALED, REUSED_NOW, EXPIRED, USER_CHANGED, MISMATCH, YOUNG, NOT_ALLOWED, SPARED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
local UNSURE = 255 -- a reuse, unless its maker is silent

local late = come_too_late()
if late then return late end

local _, _, id, client, grant, presented, rotation, leeway, lifetime, idle_lifetime, begun_before, fingerprints, deny_for, attempt,
  settling, silent, silent_since, rules, spare = unpack(ARGV)
local unused = rotation == 'unused'
presented, rotation, lifetime, idle_lifetime = tonumber(presented), rotation == '1', tonumber(lifetime), tonumber(idle_lifetime)

-- Without a family, or a user who has the password of then, there is nothing to decide.
local held = redis.call('HMGET', KEYS[1], id, 'p', HELD)
if not held[1] then
  local d = entry(FAMILY_ENDED .. id)
  own_refusal(KEYS[1])
  local again = d and d.reused and d.attempt == attempt -- the same call sent again
  return { ARGV[1], again and REUSED_NOW or UNKNOWN, 0, '', '', '', '' }
end
local subject, fingerprint, _, has_person = read_profile(held[2])
local before_that = read_held(held[3])
local unchanged = false
for i = 1, #fingerprints, 8 do
  local configured = fingerprints:sub(i, i + 7)
  unchanged = unchanged or configured == fingerprint or configured == before_that
end
if not unchanged then
  own_refusal(KEYS[1])
  return { ARGV[1], USER_CHANGED, 0, held[1], '', '', '' }
end

local begun = begun_after(tonumber(begun_before), KEYS[4], client)
local of_client, of_grant, session, generation, created, auth, expires, idle, rotated, maker = read_family(held[1])
local was_endless = expires == 0 and idle == 0
expires, idle = limited(created, rotated, expires, idle, lifetime, idle_lifetime)
local till = earlier(expires, idle)
local dead = over(till * 1000)

-- What is it? Where it is granted, `advances` tells whether there is a next generation:
-- if not, what is there is written as it is, so that a caller who waits for replicas
-- waits for it.
local parent = (presented + 1) % 4294967296 == generation
local age = now - rotated -- negative when the clock was set back
local anew = parent and (maker == UNANSWERED or maker:sub(1, 3) == silent and rotated >= tonumber(silent_since))
local outcome, advances
if of_client ~= client or of_grant ~= grant then
  outcome = MISMATCH
elseif created * 1000 <= begun then
  outcome = UNKNOWN
elseif dead then
  outcome = EXPIRED
elseif presented > generation then
  outcome, advances = HEALED, true
elseif presented == generation and rotation and maker ~= NONE and math.abs(age) < tonumber(settling) then
  outcome, advances = YOUNG, false
elseif presented == generation then
  outcome, advances = rotation and ROTATED or UNCHANGED, not unused
elseif parent and maker == attempt then
  outcome, advances = ROTATED, false -- the same call sent again
elseif parent and maker ~= UNANSWERED and maker ~= NONE and math.abs(age) < tonumber(leeway) then
  outcome, advances = REPLAYED, false
elseif anew then
  outcome, advances = rotation and ROTATED or REPLAYED, rotation
elseif silent == '?' then
  outcome = UNSURE
else
  outcome = spare == '1' and SPARED or REUSED_NOW
end

local person = ''
if advances ~= nil then
  person = read_person(KEYS[3], has_person)
  local may = rules == ''
  if not may then may = allowed(rules, person) end
  if not may then
    outcome, advances = NOT_ALLOWED, nil
  end
end

-- What is refused, and ends nothing.
if advances == nil and outcome ~= REUSED_NOW then
  own_refusal(KEYS[1])
  local shown = ''
  if outcome == MISMATCH or outcome == NOT_ALLOWED or outcome == SPARED then
    shown = struct.pack(FAMILY, 1, of_client, of_grant, session, generation, created, auth, expires, idle, rotated, maker)
  elseif outcome == UNSURE then
    shown = held[1]
  end
  return { ARGV[1], outcome, 0, shown, '', '', '' }
end

-- The next generation. Without rotation the last use counts as Rotated, and no attempt
-- marks it: else each use would open the leeway again.
if advances then
  generation = (rotation and presented + 1 or presented) % 4294967296
  rotated = now
  maker = rotation and attempt or NONE
  idle = end_of(now, idle_lifetime)
  till = earlier(expires, idle)
end
local record = struct.pack(FAMILY, 1, of_client, of_grant, session, generation, created, auth, expires, idle, rotated, maker)

-- What the user holds lives as long as what is in it.
local had = redis.call('PTTL', KEYS[1])
if outcome == REUSED_NOW then
  redis.call('HDEL', KEYS[1], id)
else
  redis.call('HSET', KEYS[1], id, advances and record or held[1])
end
if had == -1 and (outcome == REUSED_NOW or advances and was_endless and till ~= 0) then
  local g = read_grants()
  settle(g, had, KEYS[3])
elseif advances then
  lengthen(KEYS[1], had, till == 0 and 0 or till * 1000 + GRACE, KEYS[3])
end

if outcome == REUSED_NOW then
  local denied_till = end_of(now, tonumber(deny_for))
  deny(FAMILY_ENDED .. id, denied_till, attempt, LIVED + REUSED)
  return { ARGV[1], outcome, 0, '', '', '', '' }
end
local at = issued_now(begun, KEYS[5])
return { ARGV[1], outcome, at, record, subject, fingerprint, person }
