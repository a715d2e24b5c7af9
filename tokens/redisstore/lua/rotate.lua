-- Decides about one presented refresh token: the table of tokens.Decide, with its writes.
--
-- It ends nothing before it is known whether the node that made the current
-- generation can say that it was answered: that is asked for elsewhere, and only
-- then (Store.Rotate).
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 watermarks of the clients (not in a cluster, and so the next)
--        4 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms                     3 family        4 client          5 grant
--        6 presented generation  7 rotation '1' or '0'          8 leeway ms     9 lifetime ms    10 idle lifetime ms
--       11 begun after ms       12 fingerprint                 13 deny for ms  14 attempt         15 settle ms
--       16 the node that made the current generation, where it is silent; '' where it is not; '?' where nobody has asked
--       17 since when it is silent, ms
-- Result {number of the call, tokens.RotateOutcome, issue at ms, family record or '', profile or ''}

local UNKNOWN, ROTATED, REPLAYED, KEPT, HEALED, REUSED_NOW, EXPIRED, USER_CHANGED, MISMATCH, YOUNG = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
local UNSURE = 255 -- a reuse, unless its maker is silent

local id, client, grant = ARGV[3], ARGV[4], ARGV[5]
local presented, rotation, leeway = tonumber(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8])
local idle_lifetime, attempt, settle_for, silent = tonumber(ARGV[10]), ARGV[14], tonumber(ARGV[15]), ARGV[16]

local function answer(outcome, at, record, profile)
  if not profile then own_refusal(KEYS[1]) end
  return { ARGV[1], outcome, at or 0, record or '', profile or '' }
end

local held = redis.call('HMGET', KEYS[1], id, 'p')
if not held[1] then
  local d = entry(FAMILY_ENDED .. id)
  if d and d.reused and d.attempt == attempt then
    return answer(REUSED_NOW) -- the same call sent again
  end
  return answer(UNKNOWN)
end
local profile = read_profile(held[2])
if not profile or profile.fingerprint ~= ARGV[12] then
  return answer(USER_CHANGED, 0, held[1])
end

local begun = begun_after(tonumber(ARGV[11]), KEYS[3], client)
local f = read_family(held[1])
local was_endless = family_end(f) == 0
limit(f, tonumber(ARGV[9]), idle_lifetime)

-- advance makes the next generation. Without rotation the last use counts as
-- Rotated, and no attempt marks it: else each use would open the leeway again.
local function advance()
  f.generation = (rotation and presented + 1 or presented) % 4294967296
  f.rotated = now
  f.attempt = rotation and attempt or NONE
  f.idle = end_of(now, idle_lifetime)
end

-- again answers with what is there, and writes it, so that a caller who waits for
-- replicas waits for it.
local function again(outcome)
  redis.call('HSET', KEYS[1], id, held[1])
  return answer(outcome, issue_at(marks(), begun, KEYS[4]), write_family(f), profile.text)
end

local outcome
local parent = (presented + 1) % 4294967296 == f.generation
local age = now - f.rotated -- negative when the clock was set back
local anew = parent and (f.attempt == UNANSWERED or f.attempt:sub(1, 3) == silent and f.rotated >= tonumber(ARGV[17]))
if f.client ~= client or f.grant ~= grant then
  return answer(MISMATCH, 0, write_family(f))
elseif f.created * 1000 <= begun then
  return answer(UNKNOWN)
elseif dead(f) then
  return answer(EXPIRED)
elseif presented > f.generation then
  outcome = HEALED
  advance()
elseif presented == f.generation and rotation and f.attempt ~= NONE and age < settle_for and age > -settle_for then
  return again(YOUNG)
elseif presented == f.generation then
  outcome = rotation and ROTATED or KEPT
  advance()
elseif parent and f.attempt == attempt then
  return again(ROTATED) -- the same call sent again
elseif parent and f.attempt ~= UNANSWERED and f.attempt ~= NONE and age < leeway and age > -leeway then
  return again(REPLAYED)
elseif anew and not rotation then
  return again(REPLAYED)
elseif anew then
  outcome = ROTATED
  advance()
elseif silent == '?' then
  return answer(UNSURE, 0, held[1])
else
  forget_family(id)
  deny(FAMILY_ENDED .. id, end_of(now, tonumber(ARGV[13])), attempt, LIVED + REUSED)
  return answer(REUSED_NOW)
end

local m, had = marks(), left(KEYS[1])
local record = write_family(f)
redis.call('HSET', KEYS[1], id, record)
local till = family_end(f)
if had == -1 and was_endless and till ~= 0 then
  settle(read_grants(), had)
else
  lengthen(KEYS[1], had, till == 0 and 0 or till + GRACE)
end
return answer(outcome, issue_at(m, begun, KEYS[4]), record, profile.text)
