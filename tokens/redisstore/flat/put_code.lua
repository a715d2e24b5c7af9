-- Code generated from lua/put_code.lua by flatten; DO NOT EDIT.
--
-- Keeps an authorization code, unless it is there or its session is over, and the consent that
-- comes with it: unless that which it rests on is not there any more.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 codes of the user   4 their bodies   5 consents of the user
--        6 watermarks of the clients (not in a cluster, and so the next)   7 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 lifetime ms   5 session   6 body
--        7 session that what comes of the code belongs to   8 owner   9 client
--       10 what was agreed to when it was made, '' for nothing      11 text of a new consent, '' for none
-- Result {number of the call, storage.PutOutcome}

-- version; put, in seconds; expires, taken (0 while it is good), in milliseconds; attempt; session; owner
local CODE, CODE_SIZE = '>BI4I6I6c8c8c16', 49

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local MOST_CONSENTS, KEEP_CONSENT, TOUCH_CONSENT = 100, 31536000, 3600 -- storage.MaxConsents; KeepConsent and TouchConsent in seconds
local CONSENT, CONSENT_SIZE, TEXT_AT = '>BI4I4', 22, 10

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local MOST_CODES, MOST_BODIES = 128, 64 -- storage.MaxCodes, storage.MaxCodeBodies

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local NOTHING, KEPT_NOW, OTHER_CONSENT = 0, 1, 2

local CODES, BODIES, id, client = KEYS[3], KEYS[4], ARGV[3], ARGV[9]

local v = redis.call('HGET', KEYS[1], ARGV[5])
local gone = not v
if v then
  -- read_session reads a session. Its root is nil where that is the session itself.
  local session do -- read_session(v)
    if #v < 17 then
      -- unreadable ends the script, before it has written what it decides about.
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
  -- over reports whether an end in milliseconds has passed, of which 0 is none.
  local dead do -- over(session.expires * 1000)
    local till = session.expires * 1000
    dead = till ~= 0 and now >= till
  end
  -- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
  -- the hash `key`. That is nil in a cluster: there it lies on another node, and what
  -- the caller knows of it counts.
  local all_ended repeat -- everyone(KEYS[6])
    local key = KEYS[6]
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
  gone = dead or session.begun <= all_ended
end
if gone then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], NOTHING }
end
v = redis.call('HGET', CODES, id)
if v then
  local was do -- read_code(v)
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
    was = { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
  end
  if now < was.expires then return { ARGV[1], KEPT_NOW } end
end
local second = math.floor(now / 1000)
-- read_consent returns the consent to a client; nil where there is none, or it is over.
local consent repeat -- read_consent(KEYS[5], client)
  local key = KEYS[5]
  local v = redis.call('HGET', key, client)
  if not v then consent = nil break end
  if #v < CONSENT_SIZE or v:byte(1) ~= 1 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, when, used = struct.unpack(CONSENT, v)
  if now - used * 1000 >= KEEP_CONSENT * 1000 then consent = nil break end
  consent = { when = when, used = used, agreed = v:sub(TEXT_AT, TEXT_AT + 11), text = v:sub(TEXT_AT), record = v }
until true
if (ARGV[10] ~= '' or ARGV[11] ~= '') and (consent and consent.agreed or '') ~= ARGV[10] then
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], OTHER_CONSENT }
end
if ARGV[11] ~= '' then
  -- bound_consents drops what is over, and the least used, but not that to `client`.
  do -- bound_consents(KEYS[5], client)
    local key, client = KEYS[5], client
    local all, others = redis.call('HGETALL', key), {}
    for i = 1, #all, 2 do
      if all[i] ~= client then
        if #all[i + 1] < CONSENT_SIZE then
          do -- unreadable(all[i + 1], 1)
            local record, version = all[i + 1], 1
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local used = struct.unpack('>I4', all[i + 1], 6)
        if now - used * 1000 >= KEEP_CONSENT * 1000 then
          redis.call('HDEL', key, all[i])
        else
          table.insert(others, { client = all[i], used = used })
        end
      end
    end
    if #others >= MOST_CONSENTS then
      table.sort(others, function(a, b)
        if a.used ~= b.used then return a.used < b.used end
        return a.client < b.client
      end)
      for i = 1, #others + 1 - MOST_CONSENTS do redis.call('HDEL', key, others[i].client) end
    end
  end
  consent = { when = second, text = ARGV[11] }
elseif consent and second - consent.used < TOUCH_CONSENT then
  consent = nil
end
if consent then
  -- write_consent writes one that is used now.
  do -- write_consent(KEYS[5], client, consent.when, consent.text)
    local key, when, text = KEYS[5], consent.when, consent.text
    local had = redis.call('PTTL', key)
    redis.call('HSET', key, client, struct.pack(CONSENT, 1, when, math.floor(now / 1000)) .. text)
    -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
    -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
    -- write creates lives for ever until then. It gives a little more, so that not
    -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
    do -- lengthen(key, had, now + KEEP_CONSENT * 1000)
      local till, beside = now + KEEP_CONSENT * 1000
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
local put = now
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
-- withdrawn_at returns until when (s) the consent to a client is withdrawn; 0 for never.
local withdrawn do -- withdrawn_at(client)
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
if math.max(m.before, withdrawn) >= second then
  -- issue_at dates a token, login or code: now, or one second after a sign-out, a withdrawal
  -- (m.withdrawn, where the decision is about a client) or the client's watermark in this very second, since "issued at or before" is
  -- denied. A date ahead of the clock is remembered, so that the next sign-out
  -- in that second reaches it and nothing is dated before it (a rotation does not ask
  -- what was withdrawn), and in `ahead`, for the next end of a client: nil
  -- in a cluster, where that lies on another node. There a client is ended twice,
  -- some seconds apart, and the second end reaches what is dated up to MOST_AHEAD.
  -- Nothing is dated farther ahead (storage.MostAhead).
  repeat -- issue_at(m, 0, KEYS[7])
    local after, ahead = 0, KEYS[7]
    local second, mark, before = math.floor(now / 1000), math.floor(after / 1000), math.max(m.before, m.withdrawn or 0)
    if second > math.max(before, mark) and second >= m.issued then put = now break end
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
    put = at * 1000
  until true
end
local there = redis.call('HLEN', CODES)
if there % 16 == 15 or there >= MOST_CODES or redis.call('HLEN', BODIES) >= MOST_BODIES then
  -- make_room removes what has expired, and where that is not enough, the bodies of
  -- spent codes, then good codes, then spent ones, the oldest first, down to three
  -- quarters of what there may be: so that it is not needed for every code. It
  -- reads no more than MOST_CODES records. It is asked for now and then all the same,
  -- for the sake of what has expired.
  do -- make_room()
    local bodies, count, codes = {}, 0, {}
    for _, other in ipairs(redis.call('HKEYS', BODIES)) do
      bodies[other], count = true, count + 1
    end
    local function drop_body(other)
      if bodies[other] then
        redis.call('HDEL', BODIES, other)
        bodies[other], count = nil, count - 1
      end
    end
    local function drop(other)
      redis.call('HDEL', CODES, other)
      drop_body(other)
    end
    local all, left_over = redis.call('HGETALL', CODES), {}
    for other in pairs(bodies) do left_over[other] = true end
    for i = 1, #all, 2 do
      local c do -- read_code(all[i + 1])
        local v = all[i + 1]
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
        c = { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
      end
      c.id = all[i]
      left_over[c.id] = nil
      if now >= c.expires then
        drop(c.id)
      else
        table.insert(codes, c)
      end
    end
    for other in pairs(left_over) do drop_body(other) end
    -- Spent before good, then by the time when they were taken or end.
    table.sort(codes, function(a, b)
      local x, y = a.taken ~= 0, b.taken ~= 0
      if x ~= y then return x end
      local s, t = x and a.taken or a.expires, y and b.taken or b.expires
      if s ~= t then return s < t end
      return a.id < b.id
    end)
    local n = #codes
    if count >= MOST_BODIES then
      for _, c in ipairs(codes) do
        if count <= MOST_BODIES * 3 / 4 then break end
        if c.taken ~= 0 then
          drop_body(c.id)
        else
          drop(c.id)
          n = n - 1
        end
      end
    end
    if n >= MOST_CODES then
      for _, c in ipairs(codes) do
        if n <= MOST_CODES * 3 / 4 or c.taken == 0 then break end
        drop(c.id)
        n = n - 1
      end
    end
  end
end
local code = {
  put = math.floor(put / 1000), expires = now + tonumber(ARGV[4]), taken = 0, attempt = NONE, session = ARGV[7], owner = ARGV[8],
}
local record do -- write_code(code)
  local c = code
  record = struct.pack(CODE, 2, c.put, c.expires, c.taken, c.attempt, c.session, c.owner)
end
for key, value in pairs({ [CODES] = record, [BODIES] = ARGV[6] }) do
  local had = redis.call('PTTL', key)
  redis.call('HSET', key, id, value)
  do -- lengthen(key, had, code.expires)
    local till, beside = code.expires
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
return { ARGV[1], KEPT_NOW }
