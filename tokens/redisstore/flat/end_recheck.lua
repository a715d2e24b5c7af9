-- Code generated from lua/end_recheck.lua by flatten; DO NOT EDIT.
--
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

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local GRACE = tonumber(ARGV[2])

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
end

local LOST, WRITTEN, RELEASED, ENDED_NOW, DROPPED = 0, 1, 2, 3, 4
local KEPT_BY, GONE_BY, UNCLEAR_BY, THIN_BY, LOST_BY = 1, 2, 3, 4, 5

local root, seq, attempt, said, sealed = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), ARGV[8]
-- read_upstream returns a record; nil where there is none, or it is over.
local upstream repeat -- read_upstream(KEYS[4], root)
  local key = KEYS[4]
  local v = redis.call('HGET', key, root)
  if not v then upstream = nil break end
  if #v < UPSTREAM_SIZE or v:byte(1) ~= 1 then
    -- unreadable ends the script, before it has written what it decides about.
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

-- What is it? Of the same call sent again, the first is told again.
local outcome, again = LOST, upstream and upstream.attempt == attempt and upstream.lease == 0
if not upstream then
  -- entry returns a live entry, or nil.
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
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], LOST, now, {}, 0, 0, 0 }
end
if outcome == ENDED_NOW then
  -- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
  local denied_till repeat -- end_of(now, tonumber(ARGV[7]))
    local start, lifetime = now, tonumber(ARGV[7])
    if lifetime <= 0 then denied_till = 0 break end
    denied_till = math.ceil((start + lifetime) / 1000)
  until true
  local ids, news, told, dropped
  -- end_session ends a session, which may be given by its root, those with the same root, the
  -- families begun in them, and what a provider gave for it; all sessions of the user for ''. The
  -- applications that are noted for it are to be told.
  -- A session that was begun after `before` (s, 0 for no limit) goes on, with the families since
  -- then: one that an ended session has begun late ends with it. A session of which nothing goes on is
  -- denied as long as access tokens live: some came without a refresh token, and a code of it may be
  -- on its way to become a family. It returns the ids of the families that lived, whether anything had not
  -- been ended before, and how many logouts are to be told, and were dropped.
  local end_session_result, _end_session_result, __end_session_result, ___end_session_result do -- end_session(root, 0, denied_till, attempt, KEYS[3], KEYS[4], KEYS[5])
    local session, before, person, upstreams, outbox = root, 0, KEYS[3], KEYS[4], KEYS[5]
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
            -- earlier returns the first of two ends in seconds, of which 0 is none.
            local first repeat -- earlier(expires, idle)
              local a, b = expires, idle
              if a == 0 or b ~= 0 and b < a then first = b break end
              first = a
            until true
            till = first * 1000
          end
          families[field], ends[field] = v, till
          -- over reports whether an end in milliseconds has passed, of which 0 is none.
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
    if had == -1 then
      -- settle makes the hash, which had `had` left, and the person's record, live as long as
      -- what is in g.
      do -- settle(g, had, person)
        local had = had
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
    end
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
    -- tell makes logouts of the notes of roots: for all their clients, or for the one that is
    -- named. Beyond the bound the oldest goes. It returns how many there are now, and how many were dropped.
    local tell_result, _tell_result repeat -- tell(outbox, over_now, '')
      local roots, only = over_now, ''
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
    local told, dropped = tell_result, _tell_result
    end_session_result, _end_session_result, __end_session_result, ___end_session_result = ids, news, told, dropped
  end
  ids, news, told, dropped = end_session_result, _end_session_result, __end_session_result, ___end_session_result
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
  -- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
  -- pieces there are, and whether there is a person's record; nil where there is none.
  local read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result repeat -- read_profile(held)
    local v = held
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
  local subject, fingerprint, pieces, has_person = read_profile_result, _read_profile_result, __read_profile_result, ___read_profile_result
  local known = has_person and redis.call('GET', KEYS[3]) or ''
  -- as_of is when the facts of a record were asked for, in milliseconds; 0 for '', and
  -- for a record that is to be dated.
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
  if subject and known_as_of <= upstream.asked then
    local person = ARGV[9]:sub(1, 1) .. struct.pack('>I6I4', upstream.asked, math.floor(now / 1000)) .. ARGV[9]:sub(12)
    if not has_person then
      -- write_profile replaces the profile, of which there were `had_pieces` further pieces.
      do -- write_profile(pieces, fingerprint, subject, true)
        local had_pieces, text, has_person = pieces, subject, true
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
    end
    -- write_person replaces the record, of which there may have been one; '' removes it.
    -- What the user holds has got its end before.
    do -- write_person(KEYS[3], has_person, person)
      local key, had_person, v = KEYS[3], has_person, person
      if v ~= '' then
        local left = redis.call('PTTL', KEYS[1])
        redis.call('SET', key, v)
        if left >= 0 then redis.call('PEXPIRE', key, left) end
      elseif had_person then
        redis.call('UNLINK', key)
      end
    end
  end
end
do -- write_upstream(KEYS[4], root, upstream)
  local key, u = KEYS[4], upstream
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
return { ARGV[1], outcome, now, {}, 0, 0, 0 }
