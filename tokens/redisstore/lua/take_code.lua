-- Takes an authorization code: of any number of calls one gets TAKEN.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 codes of the user   4 their bodies
--        5 watermarks of the clients (not in a cluster, and so the next)   6 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 deny for ms   5 attempt   6 client   7 begun after ms
-- Result {number of the call, tokens.CodeOutcome, now ms, taken at ms, issue at ms, body or '', profile or '',
--         everyone's watermark s, owner or '', 1 or 0 for spent by this very attempt}

local UNKNOWN, TAKEN, SPENT = 0, 1, 2

local CODES, BODIES, id, attempt = KEYS[3], KEYS[4], ARGV[3], ARGV[5]
local v = redis.call('HGET', CODES, id)
local code, m = v and read_code(v), marks()
if not code or now >= code.expires or code.put <= m.folded or session_ended(code.session) then
  own_refusal(KEYS[1])
  return { ARGV[1], UNKNOWN, now, 0, 0, '', '', 0, '', 0 }
end
local body = redis.call('HGET', BODIES, id)
if code.taken ~= 0 and (code.attempt ~= attempt or not body) then
  own_refusal(KEYS[1])
  return { ARGV[1], SPENT, now, code.taken, 0, '', '', 0, code.owner, code.attempt == attempt and 1 or 0 }
end
if not body then error('gatehouse: damaged record') end
local profile = read_profile(redis.call('HGET', KEYS[1], 'p'))
local begun = begun_after(tonumber(ARGV[7]), KEYS[5], ARGV[6])
if code.taken ~= 0 then
  redis.call('HSET', CODES, id, v) -- so that a caller who waits for replicas waits for it
else
  local had = left(CODES)
  code.taken, code.attempt, code.expires = now, attempt, now + tonumber(ARGV[4])
  redis.call('HSET', CODES, id, write_code(code))
  lengthen(CODES, had, code.expires)
end
return {
  ARGV[1], TAKEN, now, code.taken, issue_at(m, begun, KEYS[6]), body, profile and profile.text or '', everyone(KEYS[5]), '', 0,
}
