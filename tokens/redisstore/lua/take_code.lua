-- Takes an authorization code: of any number of calls one gets TAKEN.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person   4 codes of the user   5 their bodies
--        6 applications to tell   7 watermarks of the clients (not in a cluster, and so the next)
--        8 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 deny for ms   5 attempt   6 client   7 begun after ms
--        8 for how long the client is noted as one to tell ms, 0 for not
-- Result {number of the call, storage.CodeOutcome, now ms, taken at ms, issue at ms, body or '',
--         everyone's watermark s, owner or '', 1 or 0 for spent by this very attempt, subject, fingerprint (and behind it
--         the one that is held) and person or ''}

local UNKNOWN, TAKEN, SPENT = 0, 1, 2

local late = come_too_late()
if late then return late end

local CODES, BODIES, id, attempt = KEYS[4], KEYS[5], ARGV[3], ARGV[5]
local v = redis.call('HGET', CODES, id)
local m = marks()
local withdrawn = withdrawn_at(ARGV[6])
m.withdrawn = withdrawn
local code, ended
if v then
  code = read_code(v)
  ended = session_ended(code.session)
end
if not code or now >= code.expires or code.put <= math.max(m.before, m.folded, withdrawn) or ended then
  own_refusal(KEYS[1])
  return { ARGV[1], UNKNOWN, now, 0, 0, '', 0, '', 0, '', '', '' }
end
local body = redis.call('HGET', BODIES, id)
if code.taken ~= 0 and (code.attempt ~= attempt or not body) then
  own_refusal(KEYS[1])
  return { ARGV[1], SPENT, now, code.taken, 0, '', 0, code.owner, code.attempt == attempt and 1 or 0, '', '', '' }
end
if not body then error('gatehouse: damaged record') end
local held = redis.call('HMGET', KEYS[1], 'p', HELD)
local subject, fingerprint, _, has_person = read_profile(held[1])
local before_that = read_held(held[2])
local person = read_person(KEYS[3], has_person)
local begun = begun_after(tonumber(ARGV[7]), KEYS[7], ARGV[6])
local all_ended = everyone(KEYS[7])
if code.taken ~= 0 then
  redis.call('HSET', CODES, id, v) -- so that a caller who waits for replicas waits for it
else
  local had = redis.call('PTTL', CODES)
  code.taken, code.attempt, code.expires = now, attempt, now + tonumber(ARGV[4])
  local record = write_code(code)
  redis.call('HSET', CODES, id, record)
  lengthen(CODES, had, code.expires)
end
local at = issue_at(m, begun, KEYS[8])
local noted_for = tonumber(ARGV[8])
if noted_for > 0 and code.session ~= NONE then
  local noted_till = end_of(now, noted_for)
  note_client(KEYS[6], code.session, ARGV[6], noted_till, subject or '')
end
return { ARGV[1], TAKEN, now, code.taken, at, body, all_ended, '', 0, subject or '', (fingerprint or '') .. before_that, person }
