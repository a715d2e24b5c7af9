-- Part: what is denied of a user, in the hash KEYS[2]. Fields:
--   kind 1 (token) or 2 (family), id 16 -> entry
--   kind 3 (session), id 8              -> entry; nothing may begin in this session any more, too
--   kind 4 (the user is disabled)       -> entry; nothing may begin at all
--   kind 5 (issued until), second 4     -> entry; in the place of many others
--   kind 6 (withdrawn), client 8        -> entry with the second (4) until when
--   '\0'                                -> marks, which hold for the whole user

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local function read_entry(v)
  if #v ~= 14 and #v ~= 18 then unreadable(v, 1) end
  local version, till, attempt, flags = struct.unpack(ENTRY, v)
  if version ~= 1 then unreadable(v, 1) end
  local at = #v == 18 and struct.unpack('>I4', v, 15) or 0
  return { till = till, attempt = attempt, lived = flags % 2 == 1, reused = flags >= REUSED, at = at }
end

-- entry returns a live entry, or nil.
local function entry(id)
  local v = redis.call('HGET', KEYS[2], id)
  if not v then return nil end
  local d = read_entry(v)
  if now >= d.till * 1000 then return nil end
  return d
end

-- session_ended reports whether a session was ended so that nothing may begin in it any more.
local function session_ended(id)
  if id == NONE then return false end
  local d = entry(SESSION_ENDED .. id)
  return d ~= nil
end

-- withdrawn_at returns until when (s) the consent to a client is withdrawn; 0 for never.
local function withdrawn_at(client)
  local d = entry(WITHDRAWN .. client)
  return d and d.at or 0
end

local function read_marks(v)
  if #v ~= MARKS_SIZE then unreadable(v, 2) end
  local version, before, till, issued, folded, attempt, answered = struct.unpack(MARKS, v)
  if version ~= 2 then unreadable(v, 2) end
  local gone = now >= till * 1000 and math.floor(now / 1000) > math.max(issued, folded + CODES_LIVE)
  return { before = before, till = till, issued = issued, folded = folded, attempt = attempt, now = answered, gone = gone }
end

-- marks returns the marks of the user:
--   before   the last sign-out everywhere, and till when it must be remembered
--   issued   the latest time ahead of the clock that a token was dated by
--   folded   nothing begins of a code that was put or taken until then
local function marks()
  local v = redis.call('HGET', KEYS[2], '\0')
  return marks_in(v)
end

-- marks_in returns the marks in a record, which may not be there.
local function marks_in(v)
  if v then
    local m = read_marks(v)
    if not m.gone then return m end
  end
  return { before = 0, till = 0, issued = 0, folded = 0, attempt = NONE, now = 0 }
end

local function write_marks(m)
  local had = redis.call('PTTL', KEYS[2])
  redis.call('HSET', KEYS[2], '\0', struct.pack(MARKS, 2, m.before, m.till, m.issued, m.folded, m.attempt, m.now))
  local till = math.max(m.till, m.issued + 1, m.folded + CODES_LIVE + 1) * 1000
  lengthen(KEYS[2], had, till)
end

-- purge removes what is over; deny calls it whenever the entries have doubled.
local function purge()
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local gone
    if all[i] == '\0' then
      local m = read_marks(all[i + 1])
      gone = m.gone
    else
      local d = read_entry(all[i + 1])
      gone = now >= d.till * 1000
    end
    if gone then redis.call('HDEL', KEYS[2], all[i]) end
  end
end

-- fold replaces entries by one that denies all that was issued until now. Those
-- that may still keep something from beginning, or answer a call that is sent
-- again, stay for a while; only the newest, so that the next fold is far away,
-- and in the place of the others nothing begins of a code from before. All live
-- about equally long, so that the end of an entry tells its age; but withdrawals and ended sessions
-- stay for longer, since the code of a device does, and what replaces others lives as long as they.
local function fold()
  local all, newest, latest, entries = redis.call('HGETALL', KEYS[2]), 0, 0, {}
  for i = 1, #all, 2 do
    if all[i] ~= '\0' and all[i] ~= DISABLED then
      local d = read_entry(all[i + 1])
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
  local m = marks()
  local second = math.floor(now / 1000)
  if #stay > KEPT then
    table.sort(stay, function(a, b)
      if a.till ~= b.till then return a.till > b.till end
      return a.id < b.id
    end)
    for i = KEPT + 1, #stay do table.insert(gone, stay[i]) end
    m.folded = second
    write_marks(m)
  end
  for _, d in ipairs(gone) do redis.call('HDEL', KEYS[2], d.id) end
  redis.call('HSET', KEYS[2], ISSUED .. struct.pack('>I4', math.max(second, m.issued)), struct.pack(ENTRY, 1, latest, NONE, 0))
end

-- doubled reports whether there are 16 entries, or 32, 64 and so on: what is done
-- only then costs each entry little, however many there are.
local function doubled(n)
  while n > 16 and n % 2 == 0 do n = n / 2 end
  return n == 16
end

-- deny writes an entry until `till` (s). One that is there is only prolonged:
-- who ended the family first stays written.
local function deny(id, till, attempt, flags)
  local was = entry(id)
  if was then
    till, attempt = math.max(till, was.till), was.attempt
    flags = (was.lived and LIVED or 0) + (was.reused and REUSED or 0)
  end
  local had = redis.call('PTTL', KEYS[2])
  redis.call('HSET', KEYS[2], id, struct.pack(ENTRY, 1, till, attempt, flags))
  lengthen(KEYS[2], had, till * 1000)
  if was then return end
  local n = redis.call('HLEN', KEYS[2])
  local purges = doubled(n)
  if n > MOST then
    fold()
  elseif purges then
    purge()
  end
end

-- ended_by returns the families that an attempt has ended, by id.
local function ended_by(attempt)
  local ids = {}
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    if all[i]:sub(1, 1) == FAMILY_ENDED then
      local d = read_entry(all[i + 1])
      if d.lived and d.attempt == attempt and now < d.till * 1000 then table.insert(ids, all[i]:sub(2)) end
    end
  end
  table.sort(ids)
  return ids
end

-- issue_at dates a token, login or code: now, or one second after a sign-out, a withdrawal
-- (m.withdrawn, where the decision is about a client) or the client's watermark in this very second, since "issued at or before" is
-- denied. A date ahead of the clock is remembered, so that the next sign-out
-- in that second reaches it and nothing is dated before it (a rotation does not ask
-- what was withdrawn), and in `ahead`, for the next end of a client: nil
-- in a cluster, where that lies on another node. There a client is ended twice,
-- some seconds apart, and the second end reaches what is dated up to MOST_AHEAD.
-- Nothing is dated farther ahead (storage.MostAhead).
local function issue_at(m, after, ahead)
  local second, mark, before = math.floor(now / 1000), math.floor(after / 1000), math.max(m.before, m.withdrawn or 0)
  if second > math.max(before, mark) and second >= m.issued then return now end
  local at = math.max(math.min(before + 1, second + MOST_AHEAD - 1), math.min(math.max(mark + 1, m.issued), second + MOST_AHEAD))
  if at > m.issued then
    m.issued = at
    local current = marks() -- this call may have folded meanwhile
    m.folded = math.max(m.folded, current.folded)
    write_marks(m)
  end
  if ahead then dated_ahead(ahead, at) end
  return at * 1000
end

-- issued_now is issue_at with the marks of the user. Nearly always nothing was ended
-- lately: then there is little to do.
local function issued_now(after, ahead)
  local v = redis.call('HGET', KEYS[2], '\0')
  if not v and now - now % 1000 > after then return now end
  local m = marks_in(v)
  return issue_at(m, after, ahead)
end
