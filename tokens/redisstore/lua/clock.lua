-- Part: the store's time, and how long keys live.
-- Times are milliseconds; ends in records are seconds, 0 for none.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

-- Behind the number of the call may stand until when its caller waits. A server that
-- stood still finds calls in its sockets whose callers were told 503 long ago: what
-- they hold must not be spent behind their backs. Then this is the answer.
local function come_too_late()
  local number, deadline = ARGV[1]:match('^(%d+)@(%d+)$')
  if not number then return nil end
  ARGV[1] = number
  if now - SHIFT <= tonumber(deadline) then return nil end
  return { number, 'late', now - SHIFT }
end

-- end_of is storage.EndOf: the start plus a lifetime, rounded up to seconds.
local function end_of(start, lifetime)
  if lifetime <= 0 then return 0 end
  return math.ceil((start + lifetime) / 1000)
end

-- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
-- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
-- write creates lives for ever until then. It gives a little more, so that not
-- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
local function lengthen(key, had, till, beside)
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

-- own_refusal ends the script on a replica. That refuses only writes, and a
-- refusal by what it does not know yet would be final: so this writes nothing.
local function own_refusal(hash)
  redis.call('HDEL', hash, '')
end

local function own_refusal_of(value)
  redis.call('SETRANGE', value, 0, '')
end

-- unreadable ends the script, before it has written what it decides about.
local function unreadable(record, version)
  error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
end
