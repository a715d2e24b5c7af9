-- Code generated from lua/take_code.lua by flatten; DO NOT EDIT.
--
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

-- version; put, in seconds; expires, taken (0 while it is good), in milliseconds; attempt; session; owner
local CODE, CODE_SIZE = '>BI4I6I6c8c8c16', 49

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local UNKNOWN, TAKEN, SPENT = 0, 1, 2

-- Behind the number of the call may stand until when its caller waits. A server that
-- stood still finds calls in its sockets whose callers were told 503 long ago: what
-- they hold must not be spent behind their backs. Then this is the answer.
local late repeat -- come_too_late()
  local number, deadline = ARGV[1]:match('^(%d+)@(%d+)$')
  if not number then late = nil break end
  ARGV[1] = number
  if now - SHIFT <= tonumber(deadline) then late = nil break end
  late = { number, 'late', now - SHIFT }
until true
if late then return late end

local CODES, BODIES, id, attempt = KEYS[4], KEYS[5], ARGV[3], ARGV[5]
local v = redis.call('HGET', CODES, id)
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
          -- unreadable ends the script, before it has written what it decides about.
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
-- withdrawn_at returns until when (s) the consent to a client is withdrawn; 0 for never.
local withdrawn do -- withdrawn_at(ARGV[6])
  local client = ARGV[6]
  -- entry returns a live entry, or nil.
  local entry_result repeat -- entry(WITHDRAWN .. client)
    local id = WITHDRAWN .. client
    local v = redis.call('HGET', KEYS[2], id)
    if not v then entry_result = nil break end
    local d do -- read_entry(v)
      if #v ~= 14 and #v ~= 18 then
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
    if now >= d.till * 1000 then entry_result = nil break end
    entry_result = d
  until true
  local d = entry_result
  withdrawn = d and d.at or 0
end
m.withdrawn = withdrawn
local code, ended
if v then
  do -- read_code(v)
    if #v ~= CODE_SIZE then
      do -- unreadable(v, 2)
        local record, version = v, 2
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local version, put, expires, taken, attempt, session, owner = struct.unpack(CODE, v)
    if version ~= 2 then
      do -- unreadable(v, 2)
        local record, version = v, 2
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    code = { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
  end
  -- session_ended reports whether a session was ended so that nothing may begin in it any more.
  repeat -- session_ended(code.session)
    local id = code.session
    if id == NONE then ended = false break end
    local entry_result repeat -- entry(SESSION_ENDED .. id)
      local id = SESSION_ENDED .. id
      local v = redis.call('HGET', KEYS[2], id)
      if not v then entry_result = nil break end
      local d do -- read_entry(v)
        if #v ~= 14 and #v ~= 18 then
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
      if now >= d.till * 1000 then entry_result = nil break end
      entry_result = d
    until true
    local d = entry_result
    ended = d ~= nil
  until true
end
if not code or now >= code.expires or code.put <= math.max(m.before, m.folded, withdrawn) or ended then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], UNKNOWN, now, 0, 0, '', 0, '', 0, '', '', '' }
end
local body = redis.call('HGET', BODIES, id)
if code.taken ~= 0 and (code.attempt ~= attempt or not body) then
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], SPENT, now, code.taken, 0, '', 0, code.owner, code.attempt == attempt and 1 or 0, '', '', '' }
end
if not body then error('gatehouse: damaged record') end
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
local subject, fingerprint, _, has_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
-- read_held returns that fingerprint, '' for none.
local before_that repeat -- read_held(held[2])
  local v = held[2]
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then before_that = '' break end
  before_that = v:sub(1, 8)
until true
-- read_person returns the record; '' where there is none. One that should be there and
-- is not is a fault: nothing known must not be read out of it.
local person repeat -- read_person(KEYS[3], has_person)
  local key = KEYS[3]
  if not has_person then person = '' break end
  local v = redis.call('GET', key)
  if not v then error('gatehouse: missing record of a person') end
  if v:byte(1) ~= 1 or #v < 12 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  person = v
until true
-- begun_after returns the client's watermark (ms): the caller's, the stored one,
-- that of its kind or everyone's.
local begun repeat -- begun_after(tonumber(ARGV[7]), KEYS[7], ARGV[6])
  local callers, key, of = tonumber(ARGV[7]), KEYS[7], ARGV[6]
  if not key then begun = callers break end
  -- kind_of returns the tag that stands for all clients of the kind of one (storage.ClientTag.Kind):
  -- NONE for those of the configuration.
  local kind repeat -- kind_of(of)
    local client = of
    local first = client:byte(1)
    if first >= 192 then kind = '\192' .. NONE:sub(2) break end
    if first >= 128 then kind = '\128' .. NONE:sub(2) break end
    kind = NONE
  until true
  local stored = redis.call('HMGET', key, of, NONE, kind)
  if not stored[1] and not stored[2] and not stored[3] then begun = callers break end
  -- read_watermark returns the watermark (s) in a record, till when it holds, and whether the client is
  -- blocked; 0 for none, or for one that holds no more.
  local clients repeat -- read_watermark(stored[1])
    local v = stored[1]
    if not v then clients = 0, 0, 0 break end
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
    if blocked == 0 and till ~= 0 and now >= till * 1000 then clients = 0, 0, 0 break end
    clients = seconds, till, blocked
  until true
  local everyones repeat -- read_watermark(stored[2])
    local v = stored[2]
    if not v then everyones = 0, 0, 0 break end
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
    if blocked == 0 and till ~= 0 and now >= till * 1000 then everyones = 0, 0, 0 break end
    everyones = seconds, till, blocked
  until true
  local kinds repeat -- read_watermark(stored[3])
    local v = stored[3]
    if not v then kinds = 0, 0, 0 break end
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
    if blocked == 0 and till ~= 0 and now >= till * 1000 then kinds = 0, 0, 0 break end
    kinds = seconds, till, blocked
  until true
  begun = math.max(callers, clients * 1000, everyones * 1000, kinds * 1000)
until true
-- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
-- the hash `key`. That is nil in a cluster: there it lies on another node, and what
-- the caller knows of it counts.
local all_ended repeat -- everyone(KEYS[7])
  local key = KEYS[7]
  if not key then all_ended = 0 break end
  local v = redis.call('HGET', key, NONE)
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
if code.taken ~= 0 then
  redis.call('HSET', CODES, id, v) -- so that a caller who waits for replicas waits for it
else
  local had = redis.call('PTTL', CODES)
  code.taken, code.attempt, code.expires = now, attempt, now + tonumber(ARGV[4])
  local record do -- write_code(code)
    local c = code
    record = struct.pack(CODE, 2, c.put, c.expires, c.taken, c.attempt, c.session, c.owner)
  end
  redis.call('HSET', CODES, id, record)
  -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
  -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
  -- write creates lives for ever until then. It gives a little more, so that not
  -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
  do -- lengthen(CODES, had, code.expires)
    local key, till, beside = CODES, code.expires
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
-- issue_at dates a token, login or code: now, or one second after a sign-out, a withdrawal
-- (m.withdrawn, where the decision is about a client) or the client's watermark in this very second, since "issued at or before" is
-- denied. A date ahead of the clock is remembered, so that the next sign-out
-- in that second reaches it and nothing is dated before it (a rotation does not ask
-- what was withdrawn), and in `ahead`, for the next end of a client: nil
-- in a cluster, where that lies on another node. There a client is ended twice,
-- some seconds apart, and the second end reaches what is dated up to MOST_AHEAD.
-- Nothing is dated farther ahead (storage.MostAhead).
local issue_at_result repeat -- issue_at(m, begun, KEYS[8])
  local after, ahead = begun, KEYS[8]
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
local noted_for = tonumber(ARGV[8])
if noted_for > 0 and code.session ~= NONE then
  -- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
  local noted_till repeat -- end_of(now, noted_for)
    local start, lifetime = now, noted_for
    if lifetime <= 0 then noted_till = 0 break end
    noted_till = math.ceil((start + lifetime) / 1000)
  until true
  -- note_client notes that a client has taken a code in a session, the newest last.
  repeat -- note_client(KEYS[6], code.session, ARGV[6], noted_till, subject or '')
    local outbox, root, client, till, subject = KEYS[6], code.session, ARGV[6], noted_till, subject or ''
    local had, at = redis.call('PTTL', outbox), math.floor(now / 1000)
    local v = redis.call('HGET', outbox, 'n' .. root)
    local clients, kept = '', {}
    if v then
      local note do -- read_note(v)
        if #v % 8 ~= 1 or v:byte(1) ~= 1 then
          do -- unreadable(v, 1)
            local record, version = v, 1
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local _, at, till = struct.unpack(NOTE, v)
        note = { at = at, till = till, clients = v:sub(NOTED_AT) }
      end
      clients, till = note.clients, math.max(till, note.till)
    end
    for i = 1, #clients, 8 do
      local other = clients:sub(i, i + 7)
      if other ~= client then table.insert(kept, other) end
    end
    table.insert(kept, client)
    redis.call('HSET', outbox, 'n' .. root, struct.pack(NOTE, 1, at, till) .. table.concat(kept, '', math.max(1, #kept + 1 - MOST_TOLD)), 's', subject)
    do -- lengthen(outbox, had, till * 1000)
      local key, till, beside = outbox, till * 1000
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
    if v then
      break
    end
    -- A new one: what is over goes, and beyond the bound the oldest.
    local notes = {}
    for _, field in ipairs(redis.call('HKEYS', outbox)) do
      if #field == 9 and field ~= 'n' .. root then
        local other = redis.call('HGET', outbox, field)
        local note do -- read_note(other)
          local v = other
          if #v % 8 ~= 1 or v:byte(1) ~= 1 then
            do -- unreadable(v, 1)
              local record, version = v, 1
              error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
            end
          end
          local _, at, till = struct.unpack(NOTE, v)
          note = { at = at, till = till, clients = v:sub(NOTED_AT) }
        end
        if note.till <= at then
          redis.call('HDEL', outbox, field)
        else
          table.insert(notes, { id = field, at = note.at })
        end
      end
    end
    table.sort(notes, function(a, b)
      if a.at ~= b.at then return a.at < b.at end
      return a.id < b.id
    end)
    for i = 1, #notes + 1 - MOST_NOTED do redis.call('HDEL', outbox, notes[i].id) end
  until true
end
return { ARGV[1], TAKEN, now, code.taken, at, body, all_ended, '', 0, subject or '', (fingerprint or '') .. before_that, person }
