-- Part: what providers gave at the logins of a user, a hash: root of the login's sessions ->
-- record. Each is over when nobody has asked for KEEP_UPSTREAM.

local MOST_UPSTREAMS, KEEP_UPSTREAM = 10, 7776000000 -- storage.MaxUpstreams, storage.KeepUpstream in ms

-- version; number of what was given; till when a check is leased, 0 for not; the attempt that
-- leases it, or did last; asked, checked; 1 if a check before never ended, and 2 more if the
-- last answer said nothing of the person; the session
-- that began with the login. Times are milliseconds. What was given, sealed, follows; it is
-- empty where nothing can be asked with it any more
local UPSTREAM, UPSTREAM_SIZE = '>BI4I6c8I6I6Bc8', 40

-- read_upstream returns a record; nil where there is none, or it is over.
local function read_upstream(key, root)
  local v = redis.call('HGET', key, root)
  if not v then return nil end
  if #v < UPSTREAM_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, seq, lease, attempt, asked, checked, flags, session = struct.unpack(UPSTREAM, v)
  if now - asked >= KEEP_UPSTREAM then return nil end
  return {
    seq = seq, lease = lease, attempt = attempt, asked = asked, checked = checked, doubtful = flags % 2, thin = math.floor(flags / 2),
    session = session,
    sealed = v:sub(UPSTREAM_SIZE + 1),
  }
end

local function write_upstream(key, root, u)
  local had = redis.call('PTTL', key)
  local record = struct.pack(UPSTREAM, 1, u.seq, u.lease, u.attempt, u.asked, u.checked, u.doubtful + 2 * u.thin, u.session) .. u.sealed
  redis.call('HSET', key, root, record)
  lengthen(key, had, now + KEEP_UPSTREAM)
end

-- bound_upstreams drops the ones that were not asked for the longest time, but not `root`.
local function bound_upstreams(key, root)
  local all, others = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if all[i] ~= root then
      if #all[i + 1] < UPSTREAM_SIZE then unreadable(all[i + 1], 1) end
      table.insert(others, { root = all[i], asked = struct.unpack('>I6', all[i + 1], 20) })
    end
  end
  if #others >= MOST_UPSTREAMS then
    table.sort(others, function(a, b)
      if a.asked ~= b.asked then return a.asked < b.asked end
      return a.root < b.root
    end)
    for i = 1, #others + 1 - MOST_UPSTREAMS do redis.call('HDEL', key, others[i].root) end
  end
end
