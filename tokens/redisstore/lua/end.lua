-- Ends grants of one user and denies their access tokens.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person   4 codes of the user   5 their bodies
--        6 the families that the last sign-out everywhere has ended   7 what providers gave   8 consents of the user
--        9 applications to tell
-- ARGV   1 number of the call    2 grace ms    3 storage.EndScope  4 family   5 session   6 deny for ms   7 attempt
--        8 what was begun after it goes on ms, 0 for no limit
--        9 client               10 1 or 0 for whether the client of the family is told
--       11 1 or 0 for whether what a provider gave at the login is returned
--       12 when it was answered ms, when it is repeated after a failover: what was begun since does not end
--       13 1 or 0 then for whether another password has ended it, and the consents until then
-- Result {number of the call, now ms, {ids of the families that lived}, 1 or 0 for whether anything had not been ended before,
--         logouts to tell, and dropped, what a provider gave or '', its number, session of that login}

local scope, id, session, deny_for, attempt = tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local denied_till = end_of(now, deny_for)
local reach = math.floor(tonumber(ARGV[8]) / 1000)
if reach >= math.floor(now / 1000) then reach = 0 end

-- The family is denied whether it is there or not, so that it can't begin late.
local function end_family()
  local v = redis.call('HGET', KEYS[1], id)
  local d = entry(FAMILY_ENDED .. id)
  local lived = false
  if v then
    local till = end_in(v)
    local dead = over(till)
    lived = not dead
    local had = redis.call('PTTL', KEYS[1])
    redis.call('HDEL', KEYS[1], id)
    if had == -1 then
      local g = read_grants()
      settle(g, had, KEYS[3])
    end
  end
  deny(FAMILY_ENDED .. id, denied_till, attempt, lived and LIVED or 0)
  local news = v or not d or d.attempt == attempt
  if lived or d and d.lived and d.attempt == attempt then return { id }, news end
  return {}, news
end

-- The sign-out of a user, after a replica was promoted that may not know it. It returns how many
-- logouts are to be told, of roots of which nothing goes on, and were dropped.
local function end_user_again(at)
  local m = marks()
  local before = math.floor(at / 1000)
  if m.before >= before then return 0, 0 end
  local g = read_grants()
  local had, gone = redis.call('PTTL', KEYS[1]), {}
  for other, v in pairs(g.families) do
    if struct.unpack('>I4', v, CREATED_AT) <= before then table.insert(gone, other) end
  end
  for other, s in pairs(g.sessions) do
    if s.begun <= before then table.insert(gone, other) end
  end
  forget(g, gone)
  if had == -1 then settle(g, had, KEYS[3]) end
  redis.call('UNLINK', KEYS[4], KEYS[5], KEYS[7])
  local till = end_of(at, deny_for)
  m.before, m.now, m.till, m.attempt = before, at, math.max(m.till, till), attempt
  write_marks(m)
  if ARGV[13] == '1' then
    local agreed = redis.call('HGETALL', KEYS[8])
    for i = 1, #agreed, 2 do
      if struct.unpack('>I4', agreed[i + 1], 2) <= before then redis.call('HDEL', KEYS[8], agreed[i]) end
    end
  end
  local goes_on, roots = {}, {}
  for other, s in pairs(g.sessions) do goes_on[s.root or other] = true end
  for _, v in pairs(g.families) do goes_on[v:sub(SESSION_AT, SESSION_AT + 7)] = true end
  for _, root in ipairs(noted_roots(KEYS[9])) do
    if not goes_on[root] then table.insert(roots, root) end
  end
  return tell(KEYS[9], roots, '')
end

-- Returns the families that lived, and how many logouts are to be told, and were dropped.
local function end_user()
  local m = marks()
  if m.before ~= 0 and m.attempt == attempt then -- the same call sent again; a login in between stays
    now = m.now
    return redis.call('LRANGE', KEYS[6], 0, -1), 0, 0
  end
  local g = read_grants()
  local lived
  m, lived = end_all(g, m, deny_for, attempt, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
  local roots = noted_roots(KEYS[9])
  local to_tell, too_many = tell(KEYS[9], roots, '')
  now = m.now
  return lived, to_tell, too_many
end

-- Of the consent to a client. After a failover, `at` is when it was answered. Codes are not told
-- apart by their client: those that were put until now are refused when they are taken.
local function withdraw(client, at)
  local d = entry(WITHDRAWN .. client)
  local lived = ended_by(attempt) -- by this very call, when it was first sent
  if d and (d.attempt == attempt or at and d.at * 1000 >= at) then -- what was agreed to in between stays
    now = math.max(now, d.at * 1000)
    return lived, true
  end
  local m = marks()
  local g = read_grants()
  local had, gone = redis.call('PTTL', KEYS[1]), {}
  -- What is dated ahead of the clock is reached as well.
  local before = at and math.floor(at / 1000) or math.max(math.floor(now / 1000), m.issued, d and d.at or 0)
  local answered = math.max(now, before * 1000)
  local till = end_of(answered, deny_for)
  local consent = redis.call('HGET', KEYS[8], client)
  if consent and at and struct.unpack('>I4', consent, 2) > before then consent = nil end
  if consent then redis.call('HDEL', KEYS[8], client) end
  for other, v in pairs(g.families) do
    if v:sub(CLIENT_AT, CLIENT_AT + 7) == client and not (at and struct.unpack('>I4', v, CREATED_AT) > before) then table.insert(gone, other) end
  end
  table.sort(gone)
  local alive = {}
  for _, other in ipairs(gone) do
    local dead = over(g.ends[other])
    if not dead then
      alive[other] = true
      table.insert(lived, other)
    end
  end
  forget(g, gone)
  if had == -1 then settle(g, had, KEYS[3]) end
  for _, other in ipairs(gone) do
    deny(FAMILY_ENDED .. other, till, attempt, alive[other] and LIVED or 0)
  end
  till = math.max(till, math.floor(answered / 1000) + CODES_LIVE, d and d.till or 0)
  deny(WITHDRAWN .. client, till, attempt, 0)
  redis.call('HSET', KEYS[2], WITHDRAWN .. client, struct.pack(ENTRY, 1, till, attempt, 0) .. struct.pack('>I4', before))
  now = answered
  return lived, consent or #lived > 0
end

-- last_of reports whether no other family of the same client lives in the session of one.
local function last_of(v)
  local g, found = read_grants(), false
  local same = v:sub(CLIENT_AT, CLIENT_AT + 7) .. v:sub(SESSION_AT, SESSION_AT + 7)
  for _, other in pairs(g.families) do
    found = found or other:sub(CLIENT_AT, CLIENT_AT + 7) .. other:sub(SESSION_AT, SESSION_AT + 7) == same
  end
  return not found
end

-- What a provider gave goes with the session: it is for the sign-out there.
local given = { sealed = '', seq = 0, session = NONE }
if scope == 2 and ARGV[11] == '1' then
  local v, root = redis.call('HGET', KEYS[1], session), session
  if v then
    local s = read_session(v)
    root = s.root or session
  end
  local upstream = read_upstream(KEYS[7], root)
  given = upstream or given
end

local of_family = scope == 1 and ARGV[10] == '1' and redis.call('HGET', KEYS[1], id)
local ended, new, told, dropped = {}, true, 0, 0
if scope == 1 then
  ended, new = end_family()
  if of_family then
    local last = last_of(of_family)
    if last then told, dropped = tell(KEYS[9], { of_family:sub(SESSION_AT, SESSION_AT + 7) }, of_family:sub(CLIENT_AT, CLIENT_AT + 7)) end
  end
elseif scope == 2 or reach ~= 0 and scope == 3 then
  local of = scope == 2 and session or ''
  ended, new, told, dropped = end_session(of, reach, denied_till, attempt, KEYS[3], KEYS[7], KEYS[9])
  -- The sign-out of a user as of a moment that has passed: nothing begins late, either.
  local m = marks()
  if scope == 3 and m.before < reach then
    new = true
    m.before, m.now, m.till, m.attempt = reach, reach * 1000, math.max(m.till, denied_till), attempt
    write_marks(m)
  end
elseif scope == 5 then
  ended, new = withdraw(ARGV[9], tonumber(ARGV[12]))
elseif ARGV[12] then
  told, dropped = end_user_again(tonumber(ARGV[12]))
else
  ended, told, dropped = end_user()
end
if scope == 4 then deny(DISABLED, FOREVER, attempt, 0) end
return { ARGV[1], now, ended, new and 1 or 0, told, dropped, given.sealed, given.seq, given.session }
