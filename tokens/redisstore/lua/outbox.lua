-- Part: applications that are to be told of the end of sessions, a hash of the user that is
-- there only where one has asked for it:
--   9  'n', root 8      -> version; noted in, until, in seconds; tags of the clients that have taken a code (8 each)
--  16  root 8, client 8 -> version; since, due, in milliseconds; tries; the attempt that sends it, or did last
--   1  's'              -> subject

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

local function read_note(v)
  if #v % 8 ~= 1 or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, at, till = struct.unpack(NOTE, v)
  return { at = at, till = till, clients = v:sub(NOTED_AT) }
end

local function read_logout(v)
  if #v ~= LOGOUT_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, since, due, tries, attempt = struct.unpack(LOGOUT, v)
  return { since = since, due = due, tries = tries, attempt = attempt }
end

-- note_client notes that a client has taken a code in a session, the newest last.
local function note_client(outbox, root, client, till, subject)
  local had, at = redis.call('PTTL', outbox), math.floor(now / 1000)
  local v = redis.call('HGET', outbox, 'n' .. root)
  local clients, kept = '', {}
  if v then
    local note = read_note(v)
    clients, till = note.clients, math.max(till, note.till)
  end
  for i = 1, #clients, 8 do
    local other = clients:sub(i, i + 7)
    if other ~= client then table.insert(kept, other) end
  end
  table.insert(kept, client)
  redis.call('HSET', outbox, 'n' .. root, struct.pack(NOTE, 1, at, till) .. table.concat(kept, '', math.max(1, #kept + 1 - MOST_TOLD)), 's', subject)
  lengthen(outbox, had, till * 1000)
  if v then return end
  -- A new one: what is over goes, and beyond the bound the oldest.
  local notes = {}
  for _, field in ipairs(redis.call('HKEYS', outbox)) do
    if #field == 9 and field ~= 'n' .. root then
      local other = redis.call('HGET', outbox, field)
      local note = read_note(other)
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
end

-- tell makes logouts of the notes of roots: for all their clients, or for the one that is
-- named. Beyond the bound the oldest goes. It returns how many there are now, and how many were dropped.
local function tell(outbox, roots, only)
  local had, told = redis.call('PTTL', outbox), 0
  for _, root in ipairs(roots) do
    local v = redis.call('HGET', outbox, 'n' .. root)
    local note = { clients = '' }
    if v then note = read_note(v) end
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
  if told == 0 then return 0, 0 end
  lengthen(outbox, had, now + KEEP_LOGOUT)
  local waiting = {}
  for _, field in ipairs(redis.call('HKEYS', outbox)) do
    if #field == 16 then
      local one = redis.call('HGET', outbox, field)
      local logout = read_logout(one)
      table.insert(waiting, { id = field, since = logout.since })
    end
  end
  table.sort(waiting, function(a, b)
    if a.since ~= b.since then return a.since < b.since end
    return a.id < b.id
  end)
  local dropped = math.max(0, #waiting - MOST_LOGOUTS)
  for i = 1, dropped do redis.call('HDEL', outbox, waiting[i].id) end
  return told, dropped
end

-- noted_roots returns the roots of all notes, in order.
local function noted_roots(outbox)
  local roots = {}
  for _, field in ipairs(redis.call('HKEYS', outbox)) do
    if #field == 9 then table.insert(roots, field:sub(2)) end
  end
  table.sort(roots)
  return roots
end
