-- Code generated from lua/end.lua by flatten; DO NOT EDIT.
--
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

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local GRACE = tonumber(ARGV[2])

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

-- deny writes an entry until `till` (s). One that is there is only prolonged:
-- who ended the family first stays written.
local function deny(id, till, attempt, flags)
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
  if was then return end
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
      local m do -- marks()
        local v = redis.call('HGET', KEYS[2], '\0')
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

-- read_grants reads everything: the records of families and when those end,
-- sessions by id, the fields of the profile with their values, and the ids of what
-- has expired. There are no more than storage.MaxFamilies and MaxSessions allow.
local function read_grants()
  local all = redis.call('HGETALL', KEYS[1])
  local families, ends, sessions, profile, expired = {}, {}, {}, {}, {}
  for i = 1, #all, 2 do
    local field, v = all[i], all[i + 1]
    if #field == 16 then
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

-- settle makes the hash, which had `had` left, and the person's record, live as long as
-- what is in g.
local function settle(g, had, person)
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

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

-- tell makes logouts of the notes of roots: for all their clients, or for the one that is
-- named. Beyond the bound the oldest goes. It returns how many there are now, and how many were dropped.
local function tell(outbox, roots, only)
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
  if told == 0 then return 0, 0 end
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
  return told, dropped
end

local scope, id, session, deny_for, attempt = tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local denied_till repeat -- end_of(now, deny_for)
  local start, lifetime = now, deny_for
  if lifetime <= 0 then denied_till = 0 break end
  denied_till = math.ceil((start + lifetime) / 1000)
until true
local reach = math.floor(tonumber(ARGV[8]) / 1000)
if reach >= math.floor(now / 1000) then reach = 0 end

-- What a provider gave goes with the session: it is for the sign-out there.
local given = { sealed = '', seq = 0, session = NONE }
if scope == 2 and ARGV[11] == '1' then
  local v, root = redis.call('HGET', KEYS[1], session), session
  if v then
    -- read_session reads a session. Its root is nil where that is the session itself.
    local s do -- read_session(v)
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
    root = s.root or session
  end
  -- read_upstream returns a record; nil where there is none, or it is over.
  local upstream repeat -- read_upstream(KEYS[7], root)
    local key = KEYS[7]
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
  given = upstream or given
end

local of_family = scope == 1 and ARGV[10] == '1' and redis.call('HGET', KEYS[1], id)
local ended, new, told, dropped = {}, true, 0, 0
if scope == 1 then
  -- The family is denied whether it is there or not, so that it can't begin late.
  repeat -- end_family()
    local v = redis.call('HGET', KEYS[1], id)
    -- entry returns a live entry, or nil.
    local entry_result repeat -- entry(FAMILY_ENDED .. id)
      local id = FAMILY_ENDED .. id
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
    local lived = false
    if v then
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
      -- over reports whether an end in milliseconds has passed, of which 0 is none.
      local dead do -- over(till)
        dead = till ~= 0 and now >= till
      end
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
    if lived or d and d.lived and d.attempt == attempt then ended, new = { id }, news break end
    ended, new = {}, news
  until true
  if of_family then
    -- last_of reports whether no other family of the same client lives in the session of one.
    local last do -- last_of(of_family)
      local v = of_family
      local g, found = read_grants(), false
      local same = v:sub(CLIENT_AT, CLIENT_AT + 7) .. v:sub(SESSION_AT, SESSION_AT + 7)
      for _, other in pairs(g.families) do
        found = found or other:sub(CLIENT_AT, CLIENT_AT + 7) .. other:sub(SESSION_AT, SESSION_AT + 7) == same
      end
      last = not found
    end
    if last then told, dropped = tell(KEYS[9], { of_family:sub(SESSION_AT, SESSION_AT + 7) }, of_family:sub(CLIENT_AT, CLIENT_AT + 7)) end
  end
elseif scope == 2 or reach ~= 0 and scope == 3 then
  local of = scope == 2 and session or ''
  -- end_session ends a session, which may be given by its root, those with the same root, the
  -- families begun in them, and what a provider gave for it; all sessions of the user for ''. The
  -- applications that are noted for it are to be told.
  -- A session that was begun after `before` (s, 0 for no limit) goes on, with the families since
  -- then: one that an ended session has begun late ends with it. A session of which nothing goes on is
  -- denied as long as access tokens live: some came without a refresh token, and a code of it may be
  -- on its way to become a family. It returns the ids of the families that lived, whether anything had not
  -- been ended before, and how many logouts are to be told, and were dropped.
  local end_session_result, _end_session_result, __end_session_result, ___end_session_result do -- end_session(of, reach, denied_till, attempt, KEYS[3], KEYS[7], KEYS[9])
    local session, before, person, upstreams, outbox = of, reach, KEYS[3], KEYS[7], KEYS[9]
    local g = read_grants()
    -- ended_by returns the families that an attempt has ended, by id.
    local ended_by_result do -- ended_by(attempt), by this very call, when it was first sent
      local ids = {}
      local all = redis.call('HGETALL', KEYS[2])
      for i = 1, #all, 2 do
        if all[i]:sub(1, 1) == FAMILY_ENDED then
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
          if d.lived and d.attempt == attempt and now < d.till * 1000 then table.insert(ids, all[i]:sub(2)) end
        end
      end
      table.sort(ids)
      ended_by_result = ids
    end
    local ids = ended_by_result
    local had, gone, signed_in, roots, goes_on = redis.call('PTTL', KEYS[1]), {}, {}, {}, {}
    local root = g.sessions[session] and g.sessions[session].root or session
    for other, s in pairs(g.sessions) do
      local of = s.root or other
      if session ~= '' and of ~= root then
        of = nil
      elseif before ~= 0 and s.begun > before then
        goes_on[of] = math.min(goes_on[of] or s.begun, s.begun)
      else
        table.insert(signed_in, other)
        roots[of] = true
      end
    end
    for other, v in pairs(g.families) do
      local of, created = v:sub(SESSION_AT, SESSION_AT + 7), struct.unpack('>I4', v, CREATED_AT)
      local since = goes_on[of]
      if of == NONE and before ~= 0 then since = before + 1 end
      if session ~= '' and of ~= root then
        of = nil
      elseif not since or created < since then
        table.insert(gone, other)
        if of ~= NONE then roots[of] = true end
      end
    end
    table.sort(gone)
    local lived = {}
    for _, other in ipairs(gone) do
      local dead do -- over(g.ends[other])
        local till = g.ends[other]
        dead = till ~= 0 and now >= till
      end
      if not dead then
        lived[other] = true
        table.insert(ids, other)
      end
    end
    local news = #ids > 0 or #gone > 0 or #signed_in > 0
    if session ~= '' and not goes_on[root] then
      roots[root] = true
      local entry_result repeat -- entry(SESSION_ENDED .. root)
        local id = SESSION_ENDED .. root
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
      news = news or not d or d.attempt == attempt
    end
    -- forget removes fields and what was read of them.
    do -- forget(g, signed_in)
      local ids = signed_in
      for i = 1, #ids, 1000 do
        redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
      end
      for _, gone in ipairs(ids) do
        g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
      end
    end
    do -- forget(g, gone)
      local ids = gone
      for i = 1, #ids, 1000 do
        redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
      end
      for _, gone in ipairs(ids) do
        g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
      end
    end
    if had == -1 then settle(g, had, person) end
    for _, other in ipairs(gone) do
      deny(FAMILY_ENDED .. other, denied_till, attempt, lived[other] and LIVED or 0)
    end
    local over_now = {}
    for of in pairs(roots) do
      if not goes_on[of] then table.insert(over_now, of) end
    end
    table.sort(over_now)
    for _, of in ipairs(over_now) do
      redis.call('HDEL', upstreams, of)
      deny(SESSION_ENDED .. of, denied_till, attempt, 0)
    end
    local told, dropped = tell(outbox, over_now, '')
    end_session_result, _end_session_result, __end_session_result, ___end_session_result = ids, news, told, dropped
  end
  ended, new, told, dropped = end_session_result, _end_session_result, __end_session_result, ___end_session_result
  -- The sign-out of a user as of a moment that has passed: nothing begins late, either.
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
  if scope == 3 and m.before < reach then
    new = true
    m.before, m.now, m.till, m.attempt = reach, reach * 1000, math.max(m.till, denied_till), attempt
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
  end
elseif scope == 5 then
  -- Of the consent to a client. After a failover, `at` is when it was answered. Codes are not told
  -- apart by their client: those that were put until now are refused when they are taken.
  repeat -- withdraw(ARGV[9], tonumber(ARGV[12]))
    local client, at = ARGV[9], tonumber(ARGV[12])
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
    local lived do -- ended_by(attempt), by this very call, when it was first sent
      local ids = {}
      local all = redis.call('HGETALL', KEYS[2])
      for i = 1, #all, 2 do
        if all[i]:sub(1, 1) == FAMILY_ENDED then
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
          if d.lived and d.attempt == attempt and now < d.till * 1000 then table.insert(ids, all[i]:sub(2)) end
        end
      end
      table.sort(ids)
      lived = ids
    end
    if d and (d.attempt == attempt or at and d.at * 1000 >= at) then -- what was agreed to in between stays
      now = math.max(now, d.at * 1000)
      ended, new = lived, true
      break
    end
    local m do -- marks()
      local v = redis.call('HGET', KEYS[2], '\0')
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
    local g = read_grants()
    local had, gone = redis.call('PTTL', KEYS[1]), {}
    -- What is dated ahead of the clock is reached as well.
    local before = at and math.floor(at / 1000) or math.max(math.floor(now / 1000), m.issued, d and d.at or 0)
    local answered = math.max(now, before * 1000)
    local till repeat -- end_of(answered, deny_for)
      local start, lifetime = answered, deny_for
      if lifetime <= 0 then till = 0 break end
      till = math.ceil((start + lifetime) / 1000)
    until true
    local consent = redis.call('HGET', KEYS[8], client)
    if consent and at and struct.unpack('>I4', consent, 2) > before then consent = nil end
    if consent then redis.call('HDEL', KEYS[8], client) end
    for other, v in pairs(g.families) do
      if v:sub(CLIENT_AT, CLIENT_AT + 7) == client and not (at and struct.unpack('>I4', v, CREATED_AT) > before) then table.insert(gone, other) end
    end
    table.sort(gone)
    local alive = {}
    for _, other in ipairs(gone) do
      local dead do -- over(g.ends[other])
        local till = g.ends[other]
        dead = till ~= 0 and now >= till
      end
      if not dead then
        alive[other] = true
        table.insert(lived, other)
      end
    end
    do -- forget(g, gone)
      local ids = gone
      for i = 1, #ids, 1000 do
        redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
      end
      for _, gone in ipairs(ids) do
        g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
      end
    end
    if had == -1 then settle(g, had, KEYS[3]) end
    for _, other in ipairs(gone) do
      deny(FAMILY_ENDED .. other, till, attempt, alive[other] and LIVED or 0)
    end
    till = math.max(till, math.floor(answered / 1000) + CODES_LIVE, d and d.till or 0)
    deny(WITHDRAWN .. client, till, attempt, 0)
    redis.call('HSET', KEYS[2], WITHDRAWN .. client, struct.pack(ENTRY, 1, till, attempt, 0) .. struct.pack('>I4', before))
    now = answered
    ended, new = lived, consent or #lived > 0
  until true
elseif ARGV[12] then
  -- The sign-out of a user, after a replica was promoted that may not know it. It returns how many
  -- logouts are to be told, of roots of which nothing goes on, and were dropped.
  repeat -- end_user_again(tonumber(ARGV[12]))
    local at = tonumber(ARGV[12])
    local m do -- marks()
      local v = redis.call('HGET', KEYS[2], '\0')
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
    local before = math.floor(at / 1000)
    if m.before >= before then told, dropped = 0, 0 break end
    local g = read_grants()
    local had, gone = redis.call('PTTL', KEYS[1]), {}
    for other, v in pairs(g.families) do
      if struct.unpack('>I4', v, CREATED_AT) <= before then table.insert(gone, other) end
    end
    for other, s in pairs(g.sessions) do
      if s.begun <= before then table.insert(gone, other) end
    end
    do -- forget(g, gone)
      local ids = gone
      for i = 1, #ids, 1000 do
        redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
      end
      for _, gone in ipairs(ids) do
        g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
      end
    end
    if had == -1 then settle(g, had, KEYS[3]) end
    redis.call('UNLINK', KEYS[4], KEYS[5], KEYS[7])
    local till repeat -- end_of(at, deny_for)
      local start, lifetime = at, deny_for
      if lifetime <= 0 then till = 0 break end
      till = math.ceil((start + lifetime) / 1000)
    until true
    m.before, m.now, m.till, m.attempt = before, at, math.max(m.till, till), attempt
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
    told, dropped = tell(KEYS[9], roots, '')
  until true
else
  -- Returns the families that lived, and how many logouts are to be told, and were dropped.
  repeat -- end_user()
    local m do -- marks()
      local v = redis.call('HGET', KEYS[2], '\0')
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
    if m.before ~= 0 and m.attempt == attempt then -- the same call sent again; a login in between stays
      now = m.now
      ended, told, dropped = redis.call('LRANGE', KEYS[6], 0, -1), 0, 0
      break
    end
    local g = read_grants()
    local lived
    -- end_all removes grants and codes and marks everything until now as ended. It
    -- returns the marks, and the families that lived, which it keeps in `list` for
    -- the same call sent again. They need no entry each: `before` denies all their
    -- tokens, and no login until then begins another one.
    local end_all_result, _end_all_result do -- end_all(g, m, deny_for, attempt, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
      local person, codes, bodies, list, upstreams = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
      local lived = {}
      for id, till in pairs(g.ends) do
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
      end_all_result, _end_all_result = m, lived
    end
    m, lived = end_all_result, _end_all_result
    local roots = noted_roots(KEYS[9])
    local to_tell, too_many = tell(KEYS[9], roots, '')
    now = m.now
    ended, told, dropped = lived, to_tell, too_many
  until true
end
if scope == 4 then deny(DISABLED, FOREVER, attempt, 0) end
return { ARGV[1], now, ended, new and 1 or 0, told, dropped, given.sealed, given.seq, given.session }
