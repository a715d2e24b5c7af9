-- Finds a live session and marks it used. Only a use that is a minute after the
-- last one, or half of a shorter idle limit, is written.
--
-- KEYS   1 what the user holds   2 the person   3 consents of the user   4 watermarks of the clients (not in a cluster)
-- ARGV   1 number of the call   2 grace ms   3 session   4 idle limit ms, 0 for none   5 client, '' for none
-- Result {number of the call, session record or '', subject, fingerprint (and behind it the one that is held), person or '',
--         consent to the client or ''}

local id, idle = ARGV[3], tonumber(ARGV[4])
local held = redis.call('HMGET', KEYS[1], id, 'p', HELD)

local s, unused
local gone = not held[1]
if not gone then
  s = read_session(held[1])
  unused = now - s.used * 1000
  local all_ended = everyone(KEYS[4])
  local dead = over(s.expires * 1000)
  gone = dead or s.begun <= all_ended or idle > 0 and unused >= idle
end
if gone then
  own_refusal(KEYS[1])
  return { ARGV[1], '', '', '', '', '' }
end
local subject, fingerprint, _, has_person = read_profile(held[2])
local person = read_person(KEYS[2], has_person)
local record = held[1]
if unused >= (idle > 0 and math.min(60000, idle / 2) or 60000) then
  s.used = math.floor(now / 1000)
  record = write_session(s)
  redis.call('HSET', KEYS[1], id, record)
end
local before_that = read_held(held[3])
local consent
if ARGV[5] ~= '' then consent = read_consent(KEYS[3], ARGV[5]) end
return { ARGV[1], record, subject or '', (fingerprint or '') .. before_that, person, consent and consent.record or '' }
