-- Code generated from lua/create_session.lua by flatten; DO NOT EDIT.
--
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

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local GRACE = tonumber(ARGV[2])

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

local MOST_UPSTREAMS, KEEP_UPSTREAM = 10, 7776000000 -- storage.MaxUpstreams, storage.KeepUpstream in ms

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- version; number of what was given; till when a check is leased, 0 for not; the attempt that
-- leases it, or did last; asked, checked; 1 if a check before never ended, and 2 more if the
-- last answer said nothing of the person; the session
-- that began with the login. Times are milliseconds. What was given, sealed, follows; it is
-- empty where nothing can be asked with it any more
local UPSTREAM, UPSTREAM_SIZE = '>BI4I6c8I6I6Bc8', 40

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

-- read_grants reads everything: the records of families and when those end,
-- sessions by id, the fields of the profile with their values, and the ids of what
-- has expired. There are no more than storage.MaxFamilies and MaxSessions allow.
local function read_grants()
  local all = redis.call('HGETALL', KEYS[1])
  local families, ends, sessions, profile, expired = {}, {}, {}, {}, {}
  for i = 1, #all, 2 do
    local field, v = all[i], all[i + 1]
    if #field == 16 then
      -- end_in is when the family of a record is dead, in milliseconds, 0 for never.
      local till do -- end_in(v)
        if #v ~= FAMILY_SIZE or v:byte(1) ~= 1 then
          do -- unreadable(v, 1)
            local record, version = v, 1
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local expires, idle = struct.unpack('>I4I4', v, ENDS_AT)
        -- earlier returns the first of two ends in seconds, of which 0 is none.
        local first repeat -- earlier(expires, idle)
          local a, b = expires, idle
          if a == 0 or b ~= 0 and b < a then first = b break end
          first = a
        until true
        till = first * 1000
      end
      families[field], ends[field] = v, till
      local dead do -- over(till)
        dead = till ~= 0 and now >= till
      end
      if dead then table.insert(expired, field) end
    elseif #field == 8 then
      local s do -- read_session(v)
        if #v < 17 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local head, begun, auth, expires, used, at = struct.unpack(SESSION, v)
        if head % 16 ~= 2 or head >= 64 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local root, amr = nil, ''
        if head % 32 >= 16 then
          root, at = v:sub(at, at + 7), at + 8
        end
        if head >= 32 then
          local length = v:byte(at) or 0
          amr, at = v:sub(at + 1, at + length), at + 1 + length
        end
        if at > #v + 1 then
          do -- unreadable(v, head)
            local record, version = v, head
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        s = { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
      end
      sessions[field] = s
      local dead do -- over(s.expires * 1000)
        local till = s.expires * 1000
        dead = till ~= 0 and now >= till
      end
      if dead then table.insert(expired, field) end
    else
      table.insert(profile, field)
      table.insert(profile, v)
    end
  end
  return { families = families, ends = ends, sessions = sessions, profile = profile, expired = expired }
end

local MOST_SESSIONS = 50 -- storage.MaxSessions

local id = ARGV[3]
-- entry returns a live entry, or nil.
local disabled repeat -- entry(DISABLED)
  local id = DISABLED
  local v = redis.call('HGET', KEYS[2], id)
  if not v then disabled = nil break end
  local d do -- read_entry(v)
    if #v ~= 14 and #v ~= 18 then
      -- unreadable ends the script, before it has written what it decides about.
      do -- unreadable(v, 1)
        local record, version = v, 1
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local version, till, attempt, flags = struct.unpack(ENTRY, v)
    if version ~= 1 then
      do -- unreadable(v, 1)
        local record, version = v, 1
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local at = #v == 18 and struct.unpack('>I4', v, 15) or 0
    d = { till = till, attempt = attempt, lived = flags % 2 == 1, reused = flags >= REUSED, at = at }
  end
  if now >= d.till * 1000 then disabled = nil break end
  disabled = d
until true
if disabled then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], '', 0, 0, 0 }
end
local g = { families = {}, ends = {}, sessions = {}, profile = {}, expired = {} }
local held = redis.call('HMGET', KEYS[1], 'p', HELD)
-- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
-- pieces there are, and whether there is a person's record; nil where there is none.
local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(held[1])
  local v = held[1]
  if not v then read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result = nil break end
  local head, at = v:byte(1), 2
  if head % 16 ~= 2 or head >= 128 then
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local fingerprint, pieces = NONE, 0
  if head % 32 >= 16 then
    fingerprint, at = v:sub(2, 9), 10
  end
  if head % 64 >= 32 then
    pieces, at = v:byte(at), at + 1
  end
  local text = v:sub(at)
  if pieces > 0 then
    local fields = {}
    for i = 1, pieces do fields[i] = 'p' .. string.char(i) end
    local rest = redis.call('HMGET', KEYS[1], unpack(fields))
    for i = 1, pieces do
      if not rest[i] then error('gatehouse: damaged record') end
    end
    text = text .. table.concat(rest)
  end
  read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result = text, fingerprint, pieces, head >= 64
until true
local was, fingerprint, pieces, had_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
-- read_held returns that fingerprint, '' for none.
local before_that repeat -- read_held(held[2])
  local v = held[2]
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then before_that = '' break end
  before_that = v:sub(1, 8)
until true
if was and fingerprint ~= ARGV[6] and before_that == ARGV[6] then
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], '', 1, 0, 0 }
end
-- marks returns the marks of the user:
--   before   the last sign-out everywhere, and till when it must be remembered
--   issued   the latest time ahead of the clock that a token was dated by
--   folded   nothing begins of a code that was put or taken until then
local m do -- marks()
  local v = redis.call('HGET', KEYS[2], '\0')
  -- marks_in returns the marks in a record, which may not be there.
  local marks_in_result repeat -- marks_in(v)
    if v then
      local m do -- read_marks(v)
        if #v ~= MARKS_SIZE then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local version, before, till, issued, folded, attempt, answered = struct.unpack(MARKS, v)
        if version ~= 2 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local gone = now >= till * 1000 and math.floor(now / 1000) > math.max(issued, folded + CODES_LIVE)
        m = { before = before, till = till, issued = issued, folded = folded, attempt = attempt, now = answered, gone = gone }
      end
      if not m.gone then marks_in_result = m break end
    end
    marks_in_result = { before = 0, till = 0, issued = 0, folded = 0, attempt = NONE, now = 0 }
  until true
  m = marks_in_result
end
local roots = {} -- of which the applications are to be told

if was and fingerprint ~= ARGV[6] then
  -- What was begun under the old password would be good again from now on.
  g = read_grants()
  -- end_all removes grants and codes and marks everything until now as ended. It
  -- returns the marks, and the families that lived, which it keeps in `list` for
  -- the same call sent again. They need no entry each: `before` denies all their
  -- tokens, and no login until then begins another one.
  local end_all_result do -- end_all(g, m, tonumber(ARGV[8]), id, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
    local deny_for, attempt, person, codes, bodies, list, upstreams = tonumber(ARGV[8]), id, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
    local lived = {}
    for id, till in pairs(g.ends) do
      -- over reports whether an end in milliseconds has passed, of which 0 is none.
      local dead do -- over(till)
        dead = till ~= 0 and now >= till
      end
      if not dead then table.insert(lived, id) end
    end
    table.sort(lived)
    redis.call('UNLINK', codes, bodies, list, upstreams)
    -- forget_all removes everything but the profile and the person's record.
    do -- forget_all(g, person)
      local had = redis.call('PTTL', KEYS[1])
      redis.call('UNLINK', KEYS[1]) -- what is written anew is compact again
      g.families, g.ends, g.sessions = {}, {}, {}
      if #g.profile > 0 then
        redis.call('HSET', KEYS[1], unpack(g.profile))
        local at = (had >= 0 and now + had or now + GRACE) - SHIFT
        redis.call('PEXPIREAT', KEYS[1], at)
        redis.call('PEXPIREAT', person, at)
      end
    end
    -- A token that is dated ahead of the clock is reached as well.
    m.before = math.max(math.floor(now / 1000), m.before, m.issued)
    m.now = math.max(now, m.before * 1000)
    -- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
    local till repeat -- end_of(m.now, deny_for)
      local start, lifetime = m.now, deny_for
      if lifetime <= 0 then till = 0 break end
      till = math.ceil((start + lifetime) / 1000)
    until true
    m.till = math.max(m.till, till)
    m.attempt = attempt
    do -- write_marks(m)
      local had = redis.call('PTTL', KEYS[2])
      redis.call('HSET', KEYS[2], '\0', struct.pack(MARKS, 2, m.before, m.till, m.issued, m.folded, m.attempt, m.now))
      local till = math.max(m.till, m.issued + 1, m.folded + CODES_LIVE + 1) * 1000
      -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
      -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
      -- write creates lives for ever until then. It gives a little more, so that not
      -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
      do -- lengthen(KEYS[2], had, till)
        local key, beside = KEYS[2]
        if till == 0 then
          if had >= 0 then redis.call('PERSIST', key) end
          if had >= 0 and beside then redis.call('PERSIST', beside) end
        elseif had == -2 or had >= 0 and now + had < till then
          local more = math.min(math.max(till - now, 0) / 16, 86400000)
          local ends_at = math.ceil(till + more) - SHIFT
          redis.call('PEXPIREAT', key, ends_at)
          if beside then redis.call('PEXPIREAT', beside, ends_at) end
        end
      end
    end
    for i = 1, #lived, 1000 do
      redis.call('RPUSH', list, unpack(lived, i, math.min(i + 999, #lived)))
    end
    if #lived > 0 then
      do -- lengthen(list, -2, m.till * 1000)
        local key, had, till, beside = list, -2, m.till * 1000
        if till == 0 then
          if had >= 0 then redis.call('PERSIST', key) end
          if had >= 0 and beside then redis.call('PERSIST', beside) end
        elseif had == -2 or had >= 0 and now + had < till then
          local more = math.min(math.max(till - now, 0) / 16, 86400000)
          local ends_at = math.ceil(till + more) - SHIFT
          redis.call('PEXPIREAT', key, ends_at)
          if beside then redis.call('PEXPIREAT', beside, ends_at) end
        end
      end
    end
    end_all_result = m, lived
  end
  m = end_all_result
  redis.call('UNLINK', KEYS[8])
  -- noted_roots returns the roots of all notes, in order.
  local noted_roots_result do -- noted_roots(KEYS[9])
    local outbox = KEYS[9]
    local roots = {}
    for _, field in ipairs(redis.call('HKEYS', outbox)) do
      if #field == 9 then table.insert(roots, field:sub(2)) end
    end
    table.sort(roots)
    noted_roots_result = roots
  end
  roots = noted_roots_result
else
  -- The families are not asked: there may be many, and a login ends none of them.
  local ids = {}
  for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
    if #other == 8 then table.insert(ids, other) end
  end
  local records = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
  for i, other in ipairs(ids) do
    -- read_session reads a session. Its root is nil where that is the session itself.
    local session do -- read_session(records[i])
      local v = records[i]
      if #v < 17 then
        do -- unreadable(v, 2)
          local record, version = v, 2
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local head, begun, auth, expires, used, at = struct.unpack(SESSION, v)
      if head % 16 ~= 2 or head >= 64 then
        do -- unreadable(v, 2)
          local record, version = v, 2
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local root, amr = nil, ''
      if head % 32 >= 16 then
        root, at = v:sub(at, at + 7), at + 8
      end
      if head >= 32 then
        local length = v:byte(at) or 0
        amr, at = v:sub(at + 1, at + length), at + 1 + length
      end
      if at > #v + 1 then
        do -- unreadable(v, head)
          local record, version = v, head
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      session = { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
    end
    g.sessions[other] = session
    local dead do -- over(session.expires * 1000)
      local till = session.expires * 1000
      dead = till ~= 0 and now >= till
    end
    if dead then table.insert(g.expired, other) end
  end
  -- forget removes fields and what was read of them.
  do -- forget(g, g.expired)
    local ids = g.expired
    for i = 1, #ids, 1000 do
      redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
    end
    for _, gone in ipairs(ids) do
      g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
    end
  end
end
local before, root = g.sessions[ARGV[7]]
if ARGV[7] ~= id and before then
  root = before.root or ARGV[7]
  do -- forget(g, { ARGV[7] })
    local ids = { ARGV[7] }
    for i = 1, #ids, 1000 do
      redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
    end
    for _, gone in ipairs(ids) do
      g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
    end
  end
end
local had = redis.call('PTTL', KEYS[1])

local s = g.sessions[id] -- the same call sent again
if not s then
  -- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
  -- the hash `key`. That is nil in a cluster: there it lies on another node, and what
  -- the caller knows of it counts.
  local all_ended repeat -- everyone(KEYS[10])
    local key = KEYS[10]
    if not key then all_ended = 0 break end
    local v = redis.call('HGET', key, NONE)
    -- read_watermark returns the watermark (s) in a record, till when it holds, and whether the client is
    -- blocked; 0 for none, or for one that holds no more.
    repeat -- read_watermark(v)
      if not v then all_ended = 0, 0, 0 break end
      if #v ~= WATERMARK_SIZE then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
      if version ~= 3 then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      if blocked == 0 and till ~= 0 and now >= till * 1000 then all_ended = 0, 0, 0 break end
      all_ended = seconds, till, blocked
    until true
  until true
  -- issue_at dates a token, login or code: now, or one second after a sign-out, a withdrawal
  -- (m.withdrawn, where the decision is about a client) or the client's watermark in this very second, since "issued at or before" is
  -- denied. A date ahead of the clock is remembered, so that the next sign-out
  -- in that second reaches it and nothing is dated before it (a rotation does not ask
  -- what was withdrawn), and in `ahead`, for the next end of a client: nil
  -- in a cluster, where that lies on another node. There a client is ended twice,
  -- some seconds apart, and the second end reaches what is dated up to MOST_AHEAD.
  -- Nothing is dated farther ahead (storage.MostAhead).
  local issue_at_result repeat -- issue_at(m, math.max(tonumber(ARGV[10]), all_ended * 1000), KEYS[11])
    local after, ahead = math.max(tonumber(ARGV[10]), all_ended * 1000), KEYS[11]
    local second, mark, before = math.floor(now / 1000), math.floor(after / 1000), math.max(m.before, m.withdrawn or 0)
    if second > math.max(before, mark) and second >= m.issued then issue_at_result = now break end
    local at = math.max(math.min(before + 1, second + MOST_AHEAD - 1), math.min(math.max(mark + 1, m.issued), second + MOST_AHEAD))
    if at > m.issued then
      m.issued = at
      local current do -- marks(), this call may have folded meanwhile
        local v = redis.call('HGET', KEYS[2], '\0')
        repeat -- marks_in(v)
          if v then
            local m do -- read_marks(v)
              if #v ~= MARKS_SIZE then
                do -- unreadable(v, 2)
                  local record, version = v, 2
                  error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
                end
              end
              local version, before, till, issued, folded, attempt, answered = struct.unpack(MARKS, v)
              if version ~= 2 then
                do -- unreadable(v, 2)
                  local record, version = v, 2
                  error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
                end
              end
              local gone = now >= till * 1000 and math.floor(now / 1000) > math.max(issued, folded + CODES_LIVE)
              m = { before = before, till = till, issued = issued, folded = folded, attempt = attempt, now = answered, gone = gone }
            end
            if not m.gone then current = m break end
          end
          current = { before = 0, till = 0, issued = 0, folded = 0, attempt = NONE, now = 0 }
        until true
      end
      m.folded = math.max(m.folded, current.folded)
      do -- write_marks(m)
        local had = redis.call('PTTL', KEYS[2])
        redis.call('HSET', KEYS[2], '\0', struct.pack(MARKS, 2, m.before, m.till, m.issued, m.folded, m.attempt, m.now))
        local till = math.max(m.till, m.issued + 1, m.folded + CODES_LIVE + 1) * 1000
        do -- lengthen(KEYS[2], had, till)
          local key, beside = KEYS[2]
          if till == 0 then
            if had >= 0 then redis.call('PERSIST', key) end
            if had >= 0 and beside then redis.call('PERSIST', beside) end
          elseif had == -2 or had >= 0 and now + had < till then
            local more = math.min(math.max(till - now, 0) / 16, 86400000)
            local ends_at = math.ceil(till + more) - SHIFT
            redis.call('PEXPIREAT', key, ends_at)
            if beside then redis.call('PEXPIREAT', beside, ends_at) end
          end
        end
      end
    end
    if ahead then
      -- dated_ahead remembers that something is dated ahead of the clock, by `at`
      -- (s), until the clock is there and a minute longer: it may be set back.
      do -- dated_ahead(ahead, at)
        local key = ahead
        if at * 1000 > now and at > tonumber(redis.call('GET', key) or 0) then
          redis.call('SET', key, at, 'PX', at * 1000 - now + 60000)
        end
      end
    end
    issue_at_result = at * 1000
  until true
  local at = issue_at_result
  local begun = math.floor(at / 1000)
  local till repeat -- end_of(begun * 1000, tonumber(ARGV[4]))
    local start, lifetime = begun * 1000, tonumber(ARGV[4])
    if lifetime <= 0 then till = 0 break end
    till = math.ceil((start + lifetime) / 1000)
  until true
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
  do -- forget(g, excess)
    local ids = excess
    for i = 1, #ids, 1000 do
      redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
    end
    for _, gone in ipairs(ids) do
      g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
    end
  end
end
local told, dropped = 0, 0
if #roots > 0 then
  -- tell makes logouts of the notes of roots: for all their clients, or for the one that is
  -- named. Beyond the bound the oldest goes. It returns how many there are now, and how many were dropped.
  local tell_result, _tell_result repeat -- tell(KEYS[9], roots, '')
    local outbox, only = KEYS[9], ''
    local had, told = redis.call('PTTL', outbox), 0
    for _, root in ipairs(roots) do
      local v = redis.call('HGET', outbox, 'n' .. root)
      local note = { clients = '' }
      if v then
        do -- read_note(v)
          if #v % 8 ~= 1 or v:byte(1) ~= 1 then
            do -- unreadable(v, 1)
              local record, version = v, 1
              error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
            end
          end
          local _, at, till = struct.unpack(NOTE, v)
          note = { at = at, till = till, clients = v:sub(NOTED_AT) }
        end
      end
      local rest = ''
      for i = 1, #note.clients, 8 do
        local client = note.clients:sub(i, i + 7)
        if only == '' or client == only then
          redis.call('HSET', outbox, root .. client, struct.pack(LOGOUT, 1, now, now, 0, NONE))
          told = told + 1
        else
          rest = rest .. client
        end
      end
      if v and rest == '' then
        redis.call('HDEL', outbox, 'n' .. root)
      elseif v then
        redis.call('HSET', outbox, 'n' .. root, struct.pack(NOTE, 1, note.at, note.till) .. rest)
      end
    end
    if told == 0 then tell_result, _tell_result = 0, 0 break end
    do -- lengthen(outbox, had, now + KEEP_LOGOUT)
      local key, till, beside = outbox, now + KEEP_LOGOUT
      if till == 0 then
        if had >= 0 then redis.call('PERSIST', key) end
        if had >= 0 and beside then redis.call('PERSIST', beside) end
      elseif had == -2 or had >= 0 and now + had < till then
        local more = math.min(math.max(till - now, 0) / 16, 86400000)
        local ends_at = math.ceil(till + more) - SHIFT
        redis.call('PEXPIREAT', key, ends_at)
        if beside then redis.call('PEXPIREAT', beside, ends_at) end
      end
    end
    local waiting = {}
    for _, field in ipairs(redis.call('HKEYS', outbox)) do
      if #field == 16 then
        local one = redis.call('HGET', outbox, field)
        local logout do -- read_logout(one)
          local v = one
          if #v ~= LOGOUT_SIZE or v:byte(1) ~= 1 then
            do -- unreadable(v, 1)
              local record, version = v, 1
              error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
            end
          end
          local _, since, due, tries, attempt = struct.unpack(LOGOUT, v)
          logout = { since = since, due = due, tries = tries, attempt = attempt }
        end
        table.insert(waiting, { id = field, since = logout.since })
      end
    end
    table.sort(waiting, function(a, b)
      if a.since ~= b.since then return a.since < b.since end
      return a.id < b.id
    end)
    local dropped = math.max(0, #waiting - MOST_LOGOUTS)
    for i = 1, dropped do redis.call('HDEL', outbox, waiting[i].id) end
    tell_result, _tell_result = told, dropped
  until true
  told, dropped = tell_result, _tell_result
end
local record do -- write_session(s)
  local head = 2 + (s.root and 16 or 0) + (s.amr ~= '' and 32 or 0)
  local amr = s.amr ~= '' and string.char(#s.amr) .. s.amr or ''
  record = struct.pack(SESSION, head, s.begun, s.auth, s.expires, s.used) .. (s.root or '') .. amr .. s.acr
end
local person = ARGV[12]
-- as_of is when the facts of a record were asked for, in milliseconds; 0 for '', and
-- for a record that is to be dated.
local asked repeat -- as_of(person)
  local v = person
  if v == '' then asked = 0 break end
  if v:byte(1) ~= 1 or #v < 12 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, at = struct.unpack('>BI6', v)
  asked = at
until true
if person ~= '' and asked == 0 then
  asked, person = now, person:sub(1, 1) .. struct.pack('>I6', now) .. person:sub(8)
end
-- A record that is missing is written anew, and so it is found no fault with here.
local known = had_person and fingerprint == ARGV[6] and redis.call('GET', KEYS[3]) or ''
local known_as_of repeat -- as_of(known)
  local v = known
  if v == '' then known_as_of = 0 break end
  if v:byte(1) ~= 1 or #v < 12 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, at = struct.unpack('>BI6', v)
  known_as_of = at
until true
if known_as_of > (asked == 0 and now or asked) then person = known end
-- write_profile replaces the profile, of which there were `had_pieces` further pieces.
do -- write_profile(pieces or 0, ARGV[6], ARGV[5], person ~= '')
  local had_pieces, fingerprint, text, has_person = pieces or 0, ARGV[6], ARGV[5], person ~= ''
  local head, fields = 2 + (has_person and 64 or 0), {}
  if fingerprint ~= NONE then
    head, fields[1] = head + 16, fingerprint
  end
  local room, pieces = 62 - #fields * 8, 0
  if #text > room then
    local first, rest = text:sub(1, room - 1), text:sub(room)
    local size = math.max(63, math.ceil(#rest / 100))
    pieces = math.ceil(#rest / size)
    for i = 1, pieces do
      redis.call('HSET', KEYS[1], 'p' .. string.char(i), rest:sub((i - 1) * size + 1, i * size))
    end
    head, text = head + 32, string.char(pieces) .. first
  end
  for i = pieces + 1, had_pieces do
    redis.call('HDEL', KEYS[1], 'p' .. string.char(i))
  end
  redis.call('HSET', KEYS[1], 'p', string.char(head) .. table.concat(fields) .. text)
end
local hold_until = math.floor((now + tonumber(ARGV[15])) / 1000)
if was and fingerprint ~= ARGV[6] and hold_until * 1000 > now then
  redis.call('HSET', KEYS[1], HELD, fingerprint .. struct.pack('>I4', hold_until))
elseif held[2] and (fingerprint ~= ARGV[6] or before_that == '') then
  redis.call('HDEL', KEYS[1], HELD)
end
redis.call('HSET', KEYS[1], id, record)
if had == -1 then g = read_grants() end
-- settle makes the hash, which had `had` left, and the person's record, live as long as
-- what is in g.
do -- settle(g, had, KEYS[3])
  local had, person = had, KEYS[3]
  local till, endless = now, false
  for _, family_till in pairs(g.ends) do
    endless = endless or family_till == 0
    till = math.max(till, family_till)
  end
  for _, s in pairs(g.sessions) do
    endless = endless or s.expires == 0
    till = math.max(till, s.expires * 1000)
  end
  if endless then
    till = 0
  else
    till = till + GRACE
    if had == -1 then had = -2 end -- it lived for ever, for the sake of something that is gone
  end
  do -- lengthen(KEYS[1], had, till, person)
    local key, beside = KEYS[1], person
    if till == 0 then
      if had >= 0 then redis.call('PERSIST', key) end
      if had >= 0 and beside then redis.call('PERSIST', beside) end
    elseif had == -2 or had >= 0 and now + had < till then
      local more = math.min(math.max(till - now, 0) / 16, 86400000)
      local ends_at = math.ceil(till + more) - SHIFT
      redis.call('PEXPIREAT', key, ends_at)
      if beside then redis.call('PEXPIREAT', beside, ends_at) end
    end
  end
end
-- write_person replaces the record, of which there may have been one; '' removes it.
-- What the user holds has got its end before.
do -- write_person(KEYS[3], had_person, person)
  local key, v = KEYS[3], person
  if v ~= '' then
    local left = redis.call('PTTL', KEYS[1])
    redis.call('SET', key, v)
    if left >= 0 then redis.call('PEXPIRE', key, left) end
  elseif had_person then
    redis.call('UNLINK', key)
  end
end

-- What a provider gave belongs to the root, in the place of what the login before brought,
-- which stays where this one brought nothing.
local login_root = s.root or id
if ARGV[14] ~= '' then
  -- read_upstream returns a record; nil where there is none, or it is over.
  local upstream repeat -- read_upstream(KEYS[7], login_root)
    local key, root = KEYS[7], login_root
    local v = redis.call('HGET', key, root)
    if not v then upstream = nil break end
    if #v < UPSTREAM_SIZE or v:byte(1) ~= 1 then
      do -- unreadable(v, 1)
        local record, version = v, 1
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local _, seq, lease, attempt, asked, checked, flags, session = struct.unpack(UPSTREAM, v)
    if now - asked >= KEEP_UPSTREAM then upstream = nil break end
    upstream = {
      seq = seq, lease = lease, attempt = attempt, asked = asked, checked = checked, doubtful = flags % 2, thin = math.floor(flags / 2),
      session = session,
      sealed = v:sub(UPSTREAM_SIZE + 1),
    }
  until true
  if not upstream or upstream.session ~= id then -- else it is the same call sent again
    upstream = { seq = 1, lease = 0, attempt = NONE, asked = now, checked = now, doubtful = 0, thin = 0, session = id, sealed = ARGV[14] }
    -- bound_upstreams drops the ones that were not asked for the longest time, but not `root`.
    do -- bound_upstreams(KEYS[7], login_root)
      local key, root = KEYS[7], login_root
      local all, others = redis.call('HGETALL', key), {}
      for i = 1, #all, 2 do
        if all[i] ~= root then
          if #all[i + 1] < UPSTREAM_SIZE then
            do -- unreadable(all[i + 1], 1)
              local record, version = all[i + 1], 1
              error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
            end
          end
          table.insert(others, { root = all[i], asked = struct.unpack('>I6', all[i + 1], 20) })
        end
      end
      if #others >= MOST_UPSTREAMS then
        table.sort(others, function(a, b)
          if a.asked ~= b.asked then return a.asked < b.asked end
          return a.root < b.root
        end)
        for i = 1, #others + 1 - MOST_UPSTREAMS do redis.call('HDEL', key, others[i].root) end
      end
    end
    do -- write_upstream(KEYS[7], login_root, upstream)
      local key, root, u = KEYS[7], login_root, upstream
      local had = redis.call('PTTL', key)
      local record = struct.pack(UPSTREAM, 1, u.seq, u.lease, u.attempt, u.asked, u.checked, u.doubtful + 2 * u.thin, u.session) .. u.sealed
      redis.call('HSET', key, root, record)
      do -- lengthen(key, had, now + KEEP_UPSTREAM)
        local till, beside = now + KEEP_UPSTREAM
        if till == 0 then
          if had >= 0 then redis.call('PERSIST', key) end
          if had >= 0 and beside then redis.call('PERSIST', beside) end
        elseif had == -2 or had >= 0 and now + had < till then
          local more = math.min(math.max(till - now, 0) / 16, 86400000)
          local ends_at = math.ceil(till + more) - SHIFT
          redis.call('PEXPIREAT', key, ends_at)
          if beside then redis.call('PEXPIREAT', beside, ends_at) end
        end
      end
    end
  end
end
return { ARGV[1], record, m.before ~= 0 and m.attempt == id and 1 or 0, told, dropped }
