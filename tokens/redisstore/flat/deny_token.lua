-- Code generated from lua/deny_token.lua by flatten; DO NOT EDIT.
--
-- Denies one access token.
--
-- KEYS   1 what the user holds (not used)   2 what is denied of the user
-- ARGV   1 number of the call   2 token   3 until ms
-- Result {number of the call}

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local till = math.ceil(tonumber(ARGV[3]) / 1000)
if now < till * 1000 then -- else it is dead by itself
  -- deny writes an entry until `till` (s). One that is there is only prolonged:
  -- who ended the family first stays written.
  repeat -- deny(TOKEN .. ARGV[2], till, NONE, 0)
    local id, till, attempt, flags = TOKEN .. ARGV[2], till, NONE, 0
    -- entry returns a live entry, or nil.
    local was repeat -- entry(id)
      local v = redis.call('HGET', KEYS[2], id)
      if not v then was = nil break end
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
      if now >= d.till * 1000 then was = nil break end
      was = d
    until true
    if was then
      till, attempt = math.max(till, was.till), was.attempt
      flags = (was.lived and LIVED or 0) + (was.reused and REUSED or 0)
    end
    local had = redis.call('PTTL', KEYS[2])
    redis.call('HSET', KEYS[2], id, struct.pack(ENTRY, 1, till, attempt, flags))
    -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
    -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
    -- write creates lives for ever until then. It gives a little more, so that not
    -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
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
end
return { ARGV[1] }
