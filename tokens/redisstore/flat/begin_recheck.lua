-- Code generated from lua/begin_recheck.lua by flatten; DO NOT EDIT.
--
-- Leases the check of a login: of any number of calls one gets it.
--
-- KEYS   1 what providers gave
-- ARGV   1 number of the call   2 root of the login's sessions   3 how long an answer counts ms   4 lease ms   5 attempt
-- Result {number of the call, 1 for leased, 0 for nothing to ask with, 2 for leased to another, 3 for asked lately, 4 with a thin answer, number of what was given, session of the login, what was given or '',
--         asked ms, 1 or 0 for doubtful}

local MOST_UPSTREAMS, KEEP_UPSTREAM = 10, 7776000000 -- storage.MaxUpstreams, storage.KeepUpstream in ms

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

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

local every, attempt = tonumber(ARGV[3]), ARGV[5]
-- read_upstream returns a record; nil where there is none, or it is over.
local upstream repeat -- read_upstream(KEYS[1], ARGV[2])
  local key, root = KEYS[1], ARGV[2]
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
local mine = upstream and upstream.attempt == attempt and upstream.lease > now -- the same call sent again
if not mine and (not upstream or upstream.sealed == '' or upstream.lease > now
  or math.abs(now - upstream.checked) < every or math.abs(now - upstream.asked) < every / 10) then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  local why = 0
  if upstream and upstream.lease > now then
    why = 2
  elseif upstream and upstream.sealed ~= '' then
    why = 3 + upstream.thin
  end
  return { ARGV[1], why, 0, NONE, '', 0, 0 }
end
if not mine then
  if upstream.lease ~= 0 then upstream.doubtful = 1 end -- that check never ended
  upstream.lease, upstream.attempt, upstream.asked = now + tonumber(ARGV[4]), attempt, now
end
do -- write_upstream(KEYS[1], ARGV[2], upstream)
  local key, root, u = KEYS[1], ARGV[2], upstream
  local had = redis.call('PTTL', key)
  local record = struct.pack(UPSTREAM, 1, u.seq, u.lease, u.attempt, u.asked, u.checked, u.doubtful + 2 * u.thin, u.session) .. u.sealed
  redis.call('HSET', key, root, record)
  -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
  -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
  -- write creates lives for ever until then. It gives a little more, so that not
  -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
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
return { ARGV[1], 1, upstream.seq, upstream.session, upstream.sealed, upstream.asked, upstream.doubtful }
