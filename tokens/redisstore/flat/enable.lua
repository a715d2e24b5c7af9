-- Code generated from lua/enable.lua by flatten; DO NOT EDIT.
--
-- Lets a disabled user log in again. The entry is over from now on, and tells
-- for a while who has ended it. The key ends with what is left in it.
--
-- KEYS   1 what the user holds (not used)   2 what is denied of the user
-- ARGV   1 number of the call   2 attempt
-- Result {number of the call, 1 or 0 for whether the user was disabled}

local TOKEN, FAMILY_ENDED, SESSION_ENDED, DISABLED, ISSUED, WITHDRAWN = '\1', '\2', '\3', '\4', '\5', '\6' -- storage.DenialKind
local MOST, KEPT, FOLD_AFTER, CODES_LIVE = 1024, 256, 120, 1200 -- storage.MaxDenials; MaxKeptByFold; FoldAfter and CodesLive in seconds
local MOST_AHEAD = 3 -- storage.MostAhead in seconds; no more than clocksApart makes of storage.ClientEnd.Late
local FOREVER = 4294967295 -- storage.Forever
local LIVED, REUSED = 1, 2

local ENTRY = '>BI4c8B'       -- version; until, in seconds; the attempt that ended it; flags
-- version; before, till, issued, folded, in seconds; attempt of the sign-out; its answer
local MARKS, MARKS_SIZE = '>BI4I4I4I4c8I6', 31

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local v = redis.call('HGET', KEYS[2], DISABLED)
if not v then return { ARGV[1], 0 } end
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
if now >= d.till * 1000 then return { ARGV[1], d.attempt == ARGV[2] and 1 or 0 } end
redis.call('HSET', KEYS[2], DISABLED, struct.pack(ENTRY, 1, math.floor(now / 1000), ARGV[2], 0))
local till, all = now + FOLD_AFTER * 1000, redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
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
    till = math.max(till, m.till * 1000, (m.issued + 1) * 1000, (m.folded + FOLD_AFTER + 1) * 1000)
  else
    local other do -- read_entry(all[i + 1])
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
      other = { till = till, attempt = attempt, lived = flags % 2 == 1, reused = flags >= REUSED, at = at }
    end
    till = math.max(till, other.till * 1000)
  end
end
-- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
-- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
-- write creates lives for ever until then. It gives a little more, so that not
-- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
do -- lengthen(KEYS[2], -2, till)
  local key, had, beside = KEYS[2], -2
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
return { ARGV[1], 1 }
