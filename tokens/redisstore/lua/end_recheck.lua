-- Writes what the provider of a login has answered, under the lease and the number of the
-- caller. A login that is over ends in the same step, unless a check before never ended:
-- then it is what was presented that is over.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person   4 what providers gave
--        5 applications to tell
-- ARGV   1 number of the call    2 grace ms   3 root of the login's sessions   4 number of what was presented   5 attempt
--        6 storage.ProviderAnswer             7 deny for ms     8 what it gave, '' to keep what is there   9 person
-- Result {number of the call, storage.RecheckOutcome, now ms, {ids of the families that lived},
--         1 or 0 for whether anything had not been ended before,
--         logouts to tell, and dropped}

local LOST, WRITTEN, RELEASED, ENDED_NOW, DROPPED = 0, 1, 2, 3, 4
local KEPT_BY, GONE_BY, UNCLEAR_BY, THIN_BY, LOST_BY = 1, 2, 3, 4, 5

local root, seq, attempt, said, sealed = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), ARGV[8]
local upstream = read_upstream(KEYS[4], root)

-- What is it? Of the same call sent again, the first is told again.
local outcome, again = LOST, upstream and upstream.attempt == attempt and upstream.lease == 0
if not upstream then
  local d = entry(SESSION_ENDED .. root)
  if said == GONE_BY and d and d.attempt == attempt then outcome = ENDED_NOW end
elseif again and said == GONE_BY then
  if upstream.sealed == '' and upstream.seq == seq then outcome = DROPPED end
elseif again then
  if upstream.sealed ~= '' and (upstream.seq == seq or upstream.seq == seq + 1) then outcome = (said == UNCLEAR_BY or said == LOST_BY) and RELEASED or WRITTEN end
elseif upstream.attempt == attempt and upstream.seq == seq then
  if said == KEPT_BY or said == THIN_BY then
    outcome = WRITTEN
  elseif said == UNCLEAR_BY or said == LOST_BY then
    outcome = RELEASED
  elseif said == GONE_BY then
    outcome = upstream.doubtful == 1 and DROPPED or ENDED_NOW
  end
end
if outcome == LOST then
  own_refusal(KEYS[1])
  return { ARGV[1], LOST, now, {}, 0, 0, 0 }
end
if outcome == ENDED_NOW then
  local denied_till = end_of(now, tonumber(ARGV[7]))
  local ids, news, told, dropped
  ids, news, told, dropped = end_session(root, 0, denied_till, attempt, KEYS[3], KEYS[4], KEYS[5])
  return { ARGV[1], ENDED_NOW, now, ids, news and 1 or 0, told, dropped }
end
if not again then
  upstream.lease = 0
  if outcome == DROPPED then upstream.sealed = '' end
  if said == LOST_BY then upstream.doubtful = 1 end
end
if outcome == WRITTEN and not again then
  upstream.doubtful, upstream.thin = 0, said == THIN_BY and 1 or 0
  if sealed ~= '' then
    upstream.seq, upstream.sealed = seq + 1, sealed
  end
end
if outcome == WRITTEN and not again and said == KEPT_BY then
  upstream.checked = now
  local held = redis.call('HGET', KEYS[1], 'p')
  local subject, fingerprint, pieces, has_person = read_profile(held)
  local known = has_person and redis.call('GET', KEYS[3]) or ''
  local known_as_of = as_of(known)
  if subject and known_as_of <= upstream.asked then
    local person = ARGV[9]:sub(1, 1) .. struct.pack('>I6I4', upstream.asked, math.floor(now / 1000)) .. ARGV[9]:sub(12)
    if not has_person then write_profile(pieces, fingerprint, subject, true) end
    write_person(KEYS[3], has_person, person)
  end
end
write_upstream(KEYS[4], root, upstream)
return { ARGV[1], outcome, now, {}, 0, 0, 0 }
