-- Code generated from lua/session.lua by flatten; DO NOT EDIT.
--
-- Finds a live session and marks it used. Only a use that is a minute after the
-- last one, or half of a shorter idle limit, is written.
--
-- KEYS   1 what the user holds   2 the person   3 consents of the user   4 watermarks of the clients (not in a cluster)
-- ARGV   1 number of the call   2 grace ms   3 session   4 idle limit ms, 0 for none   5 client, '' for none
-- Result {number of the call, session record or '', subject, fingerprint (and behind it the one that is held), person or '',
--         consent to the client or ''}

local MOST_CONSENTS, KEEP_CONSENT, TOUCH_CONSENT = 100, 31536000, 3600 -- storage.MaxConsents; KeepConsent and TouchConsent in seconds
local CONSENT, CONSENT_SIZE, TEXT_AT = '>BI4I4', 22, 10

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local id, idle = ARGV[3], tonumber(ARGV[4])
local held = redis.call('HMGET', KEYS[1], id, 'p', HELD)

local s, unused
local gone = not held[1]
if not gone then
  -- read_session reads a session. Its root is nil where that is the session itself.
  do -- read_session(held[1])
    local v = held[1]
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
    s = { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
  end
  unused = now - s.used * 1000
  -- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
  -- the hash `key`. That is nil in a cluster: there it lies on another node, and what
  -- the caller knows of it counts.
  local all_ended repeat -- everyone(KEYS[4])
    local key = KEYS[4]
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
  -- over reports whether an end in milliseconds has passed, of which 0 is none.
  local dead do -- over(s.expires * 1000)
    local till = s.expires * 1000
    dead = till ~= 0 and now >= till
  end
  gone = dead or s.begun <= all_ended or idle > 0 and unused >= idle
end
if gone then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], '', '', '', '', '' }
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
-- read_person returns the record; '' where there is none. One that should be there and
-- is not is a fault: nothing known must not be read out of it.
local person repeat -- read_person(KEYS[2], has_person)
  local key = KEYS[2]
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
local record = held[1]
if unused >= (idle > 0 and math.min(60000, idle / 2) or 60000) then
  s.used = math.floor(now / 1000)
  do -- write_session(s)
    local head = 2 + (s.root and 16 or 0) + (s.amr ~= '' and 32 or 0)
    local amr = s.amr ~= '' and string.char(#s.amr) .. s.amr or ''
    record = struct.pack(SESSION, head, s.begun, s.auth, s.expires, s.used) .. (s.root or '') .. amr .. s.acr
  end
  redis.call('HSET', KEYS[1], id, record)
end
-- read_held returns that fingerprint, '' for none.
local before_that repeat -- read_held(held[3])
  local v = held[3]
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then before_that = '' break end
  before_that = v:sub(1, 8)
until true
local consent
if ARGV[5] ~= '' then
  -- read_consent returns the consent to a client; nil where there is none, or it is over.
  repeat -- read_consent(KEYS[3], ARGV[5])
    local key, client = KEYS[3], ARGV[5]
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
end
return { ARGV[1], record, subject or '', (fingerprint or '') .. before_that, person, consent and consent.record or '' }
