-- Code generated from lua/rotate.lua by flatten; DO NOT EDIT.
--
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

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local GRACE = tonumber(ARGV[2])

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local UNANSWERED = '\255\255\255\255\255\255\255\255' -- in the place of an attempt that was never answered

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local UNKNOWN, ROTATED, REPLAYED, UNCHANGED, HEALED, REUSED_NOW, EXPIRED, USER_CHANGED, MISMATCH, YOUNG, NOT_ALLOWED, SPARED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
local UNSURE = 255 -- a reuse, unless its maker is silent

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

local _, _, id, client, grant, presented, rotation, leeway, lifetime, idle_lifetime, begun_before, fingerprints, deny_for, attempt,
  settling, silent, silent_since, rules, spare = unpack(ARGV)
local unused = rotation == 'unused'
presented, rotation, lifetime, idle_lifetime = tonumber(presented), rotation == '1', tonumber(lifetime), tonumber(idle_lifetime)

-- Without a family, or a user who has the password of then, there is nothing to decide.
local held = redis.call('HMGET', KEYS[1], id, 'p', HELD)
if not held[1] then
  -- entry returns a live entry, or nil.
  local entry_result repeat -- entry(FAMILY_ENDED .. id)
    local id = FAMILY_ENDED .. id
    local v = redis.call('HGET', KEYS[2], id)
    if not v then entry_result = nil break end
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
    if now >= d.till * 1000 then entry_result = nil break end
    entry_result = d
  until true
  local d = entry_result
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  local again = d and d.reused and d.attempt == attempt -- the same call sent again
  return { ARGV[1], again and REUSED_NOW or UNKNOWN, 0, '', '', '', '' }
end
-- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
-- pieces there are, and whether there is a person's record; nil where there is none.
local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(held[2])
  local v = held[2]
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
local before_that repeat -- read_held(held[3])
  local v = held[3]
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then before_that = '' break end
  before_that = v:sub(1, 8)
until true
local unchanged = false
for i = 1, #fingerprints, 8 do
  local configured = fingerprints:sub(i, i + 7)
  unchanged = unchanged or configured == fingerprint or configured == before_that
end
if not unchanged then
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], USER_CHANGED, 0, held[1], '', '', '' }
end

-- begun_after returns the client's watermark (ms): the caller's, the stored one,
-- that of its kind or everyone's.
local begun repeat -- begun_after(tonumber(begun_before), KEYS[4], client)
  local callers, key, of = tonumber(begun_before), KEYS[4], client
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
-- read_family returns what a record says, in its order.
local read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result do -- read_family(held[1])
  local v = held[1]
  if #v ~= FAMILY_SIZE then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local version, client, grant, session, generation, created, auth, expires, idle, rotated, attempt = struct.unpack(FAMILY, v)
  if version ~= 1 then
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result = client, grant, session, generation, created, auth, expires, idle, rotated, attempt
end
local of_client, of_grant, session, generation, created, auth, expires, idle, rotated, maker = read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result
local was_endless = expires == 0 and idle == 0
-- limited returns the ends by lifetimes that the configuration may have shortened (storage.Family.Limited).
local limited_result, _limited_result do -- limited(created, rotated, expires, idle, lifetime, idle_lifetime)
  -- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
  local by_lifetime repeat -- end_of(created * 1000, lifetime)
    local start = created * 1000
    if lifetime <= 0 then by_lifetime = 0 break end
    by_lifetime = math.ceil((start + lifetime) / 1000)
  until true
  local by_idle_lifetime repeat -- end_of(rotated, idle_lifetime)
    local start, lifetime = rotated, idle_lifetime
    if lifetime <= 0 then by_idle_lifetime = 0 break end
    by_idle_lifetime = math.ceil((start + lifetime) / 1000)
  until true
  -- earlier returns the first of two ends in seconds, of which 0 is none.
  local expires_by repeat -- earlier(expires, by_lifetime)
    local a, b = expires, by_lifetime
    if a == 0 or b ~= 0 and b < a then expires_by = b break end
    expires_by = a
  until true
  local idle_by repeat -- earlier(idle, by_idle_lifetime)
    local a, b = idle, by_idle_lifetime
    if a == 0 or b ~= 0 and b < a then idle_by = b break end
    idle_by = a
  until true
  limited_result, _limited_result = expires_by, idle_by
end
expires, idle = limited_result, _limited_result
local till repeat -- earlier(expires, idle)
  local a, b = expires, idle
  if a == 0 or b ~= 0 and b < a then till = b break end
  till = a
until true
-- over reports whether an end in milliseconds has passed, of which 0 is none.
local dead do -- over(till * 1000)
  local till = till * 1000
  dead = till ~= 0 and now >= till
end

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
  -- read_person returns the record; '' where there is none. One that should be there and
  -- is not is a fault: nothing known must not be read out of it.
  repeat -- read_person(KEYS[3], has_person)
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
  local may = rules == ''
  if not may then
    -- allowed is storage.AllOf.Allow, with the groups of a person's record.
    local allowed_result do -- allowed(rules, person)
      local may, at = true, 1
      local last = person == '' and 0 or 12 + 8 * person:byte(12)
      while at <= #rules do
        local behind, one_of = at + 1 + 8 * rules:byte(at), false
        for i = at + 1, behind - 1, 8 do
          local tag = rules:sub(i, i + 7)
          for j = 13, last, 8 do one_of = one_of or person:sub(j, j + 7) == tag end
        end
        may, at = may and one_of, behind
      end
      allowed_result = may
    end
    may = allowed_result
  end
  if not may then
    outcome, advances = NOT_ALLOWED, nil
  end
end

-- What is refused, and ends nothing.
if advances == nil and outcome ~= REUSED_NOW then
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
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
  repeat -- end_of(now, idle_lifetime)
    local start, lifetime = now, idle_lifetime
    if lifetime <= 0 then idle = 0 break end
    idle = math.ceil((start + lifetime) / 1000)
  until true
  repeat -- earlier(expires, idle)
    local a, b = expires, idle
    if a == 0 or b ~= 0 and b < a then till = b break end
    till = a
  until true
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
  -- read_grants reads everything: the records of families and when those end,
  -- sessions by id, the fields of the profile with their values, and the ids of what
  -- has expired. There are no more than storage.MaxFamilies and MaxSessions allow.
  local g do -- read_grants()
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
        -- read_session reads a session. Its root is nil where that is the session itself.
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
    g = { families = families, ends = ends, sessions = sessions, profile = profile, expired = expired }
  end
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
    -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
    -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
    -- write creates lives for ever until then. It gives a little more, so that not
    -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
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
elseif advances then
  do -- lengthen(KEYS[1], had, till == 0 and 0 or till * 1000 + GRACE, KEYS[3])
    local key, till, beside = KEYS[1], till == 0 and 0 or till * 1000 + GRACE, KEYS[3]
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

if outcome == REUSED_NOW then
  local denied_till repeat -- end_of(now, tonumber(deny_for))
    local start, lifetime = now, tonumber(deny_for)
    if lifetime <= 0 then denied_till = 0 break end
    denied_till = math.ceil((start + lifetime) / 1000)
  until true
  -- deny writes an entry until `till` (s). One that is there is only prolonged:
  -- who ended the family first stays written.
  repeat -- deny(FAMILY_ENDED .. id, denied_till, attempt, LIVED + REUSED)
    local id, till, attempt, flags = FAMILY_ENDED .. id, denied_till, attempt, LIVED + REUSED
    local was repeat -- entry(id)
      local v = redis.call('HGET', KEYS[2], id)
      if not v then was = nil break end
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
      if now >= d.till * 1000 then was = nil break end
      was = d
    until true
    if was then
      till, attempt = math.max(till, was.till), was.attempt
      flags = (was.lived and LIVED or 0) + (was.reused and REUSED or 0)
    end
    local had = redis.call('PTTL', KEYS[2])
    redis.call('HSET', KEYS[2], id, struct.pack(ENTRY, 1, till, attempt, flags))
    do -- lengthen(KEYS[2], had, till * 1000)
      local key, till, beside = KEYS[2], till * 1000
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
    if was then
      break
    end
    local n = redis.call('HLEN', KEYS[2])
    -- doubled reports whether there are 16 entries, or 32, 64 and so on: what is done
    -- only then costs each entry little, however many there are.
    local purges do -- doubled(n)
      local n = n
      while n > 16 and n % 2 == 0 do n = n / 2 end
      purges = n == 16
    end
    if n > MOST then
      -- fold replaces entries by one that denies all that was issued until now. Those
      -- that may still keep something from beginning, or answer a call that is sent
      -- again, stay for a while; only the newest, so that the next fold is far away,
      -- and in the place of the others nothing begins of a code from before. All live
      -- about equally long, so that the end of an entry tells its age; but withdrawals and ended sessions
      -- stay for longer, since the code of a device does, and what replaces others lives as long as they.
      do -- fold()
        local all, newest, latest, entries = redis.call('HGETALL', KEYS[2]), 0, 0, {}
        for i = 1, #all, 2 do
          if all[i] ~= '\0' and all[i] ~= DISABLED then
            local d do -- read_entry(all[i + 1])
              local v = all[i + 1]
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
            d.id = all[i]
            local kind = d.id:sub(1, 1)
            latest = math.max(latest, d.till)
            if kind ~= WITHDRAWN and kind ~= ISSUED then newest = math.max(newest, d.till) end
            table.insert(entries, d)
          end
        end
        local gone, stay = {}, {}
        for _, d in ipairs(entries) do
          local kind = d.id:sub(1, 1)
          local single = kind == TOKEN or kind == ISSUED or kind == FAMILY_ENDED and d.lived and not d.reused
          local goes = single or kind ~= WITHDRAWN and kind ~= SESSION_ENDED and d.till <= newest - FOLD_AFTER
          table.insert(goes and gone or stay, d)
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
        local second = math.floor(now / 1000)
        if #stay > KEPT then
          table.sort(stay, function(a, b)
            if a.till ~= b.till then return a.till > b.till end
            return a.id < b.id
          end)
          for i = KEPT + 1, #stay do table.insert(gone, stay[i]) end
          m.folded = second
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
        for _, d in ipairs(gone) do redis.call('HDEL', KEYS[2], d.id) end
        redis.call('HSET', KEYS[2], ISSUED .. struct.pack('>I4', math.max(second, m.issued)), struct.pack(ENTRY, 1, latest, NONE, 0))
      end
    elseif purges then
      -- purge removes what is over; deny calls it whenever the entries have doubled.
      do -- purge()
        local all = redis.call('HGETALL', KEYS[2])
        for i = 1, #all, 2 do
          local gone
          if all[i] == '\0' then
            local m do -- read_marks(all[i + 1])
              local v = all[i + 1]
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
            gone = m.gone
          else
            local d do -- read_entry(all[i + 1])
              local v = all[i + 1]
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
            gone = now >= d.till * 1000
          end
          if gone then redis.call('HDEL', KEYS[2], all[i]) end
        end
      end
    end
  until true
  return { ARGV[1], outcome, 0, '', '', '', '' }
end
-- issued_now is issue_at with the marks of the user. Nearly always nothing was ended
-- lately: then there is little to do.
local at repeat -- issued_now(begun, KEYS[5])
  local after, ahead = begun, KEYS[5]
  local v = redis.call('HGET', KEYS[2], '\0')
  if not v and now - now % 1000 > after then at = now break end
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
  local m = marks_in_result
  -- issue_at dates a token, login or code: now, or one second after a sign-out, a withdrawal
  -- (m.withdrawn, where the decision is about a client) or the client's watermark in this very second, since "issued at or before" is
  -- denied. A date ahead of the clock is remembered, so that the next sign-out
  -- in that second reaches it and nothing is dated before it (a rotation does not ask
  -- what was withdrawn), and in `ahead`, for the next end of a client: nil
  -- in a cluster, where that lies on another node. There a client is ended twice,
  -- some seconds apart, and the second end reaches what is dated up to MOST_AHEAD.
  -- Nothing is dated farther ahead (storage.MostAhead).
  local issue_at_result repeat -- issue_at(m, after, ahead)
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
  at = issue_at_result
until true
return { ARGV[1], outcome, at, record, subject, fingerprint, person }
