-- Code generated from lua/put_code.lua by flatten; DO NOT EDIT.
--
-- Keeps an authorization code, unless it is there or its session is over.
--
-- KEYS   1 what the user holds   2 codes of the user   3 their bodies   4 watermarks of the clients (not in a cluster)
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 lifetime ms   5 session   6 body
--        7 session that what comes of the code belongs to   8 owner
-- Result {number of the call, 1 or 0 for kept}

-- version; put, in seconds; expires, taken (0 while it is good), in milliseconds; attempt; session; owner
local CODE, CODE_SIZE = '>BI4I6I6c8c8c16', 49

local MOST_CODES, MOST_BODIES = 128, 64 -- storage.MaxCodes, storage.MaxCodeBodies

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local SESSION = '>BI4I4I4I4'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local CODES, BODIES, id = KEYS[2], KEYS[3], ARGV[3]

local v = redis.call('HGET', KEYS[1], ARGV[5])
local gone = not v
if v then
  -- read_session reads a session. Its root is nil where that is the session itself.
  local session do -- read_session(v)
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
    session = { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
  end
  -- over reports whether an end in milliseconds has passed, of which 0 is none.
  local dead do -- over(session.expires * 1000)
    local till = session.expires * 1000
    dead = till ~= 0 and now >= till
  end
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
      if till ~= 0 and now >= till * 1000 then all_ended = 0, 0, 0 break end
      all_ended = seconds, till, blocked
    until true
  until true
  gone = dead or session.begun <= all_ended
end
if gone then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
  return { ARGV[1], 0 }
end
v = redis.call('HGET', CODES, id)
if v then
  local was do -- read_code(v)
    if #v ~= CODE_SIZE then
      do -- unreadable(v, 2)
        local record, version = v, 2
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local version, put, expires, taken, attempt, session, owner = struct.unpack(CODE, v)
    if version ~= 2 then
      do -- unreadable(v, 2)
        local record, version = v, 2
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    was = { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
  end
  if now < was.expires then return { ARGV[1], 1 } end
end
local there = redis.call('HLEN', CODES)
if there % 16 == 15 or there >= MOST_CODES or redis.call('HLEN', BODIES) >= MOST_BODIES then
  -- make_room removes what has expired, and where that is not enough, the bodies of
  -- spent codes, then good codes, then spent ones, the oldest first, down to three
  -- quarters of what there may be: so that it is not needed for every code. It
  -- reads no more than MOST_CODES records. It is asked for now and then all the same,
  -- for the sake of what has expired.
  do -- make_room()
    local bodies, count, codes = {}, 0, {}
    for _, other in ipairs(redis.call('HKEYS', BODIES)) do
      bodies[other], count = true, count + 1
    end
    local function drop_body(other)
      if bodies[other] then
        redis.call('HDEL', BODIES, other)
        bodies[other], count = nil, count - 1
      end
    end
    local function drop(other)
      redis.call('HDEL', CODES, other)
      drop_body(other)
    end
    local all, left_over = redis.call('HGETALL', CODES), {}
    for other in pairs(bodies) do left_over[other] = true end
    for i = 1, #all, 2 do
      local c do -- read_code(all[i + 1])
        local v = all[i + 1]
        if #v ~= CODE_SIZE then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local version, put, expires, taken, attempt, session, owner = struct.unpack(CODE, v)
        if version ~= 2 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        c = { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
      end
      c.id = all[i]
      left_over[c.id] = nil
      if now >= c.expires then
        drop(c.id)
      else
        table.insert(codes, c)
      end
    end
    for other in pairs(left_over) do drop_body(other) end
    -- Spent before good, then by the time when they were taken or end.
    table.sort(codes, function(a, b)
      local x, y = a.taken ~= 0, b.taken ~= 0
      if x ~= y then return x end
      local s, t = x and a.taken or a.expires, y and b.taken or b.expires
      if s ~= t then return s < t end
      return a.id < b.id
    end)
    local n = #codes
    if count >= MOST_BODIES then
      for _, c in ipairs(codes) do
        if count <= MOST_BODIES * 3 / 4 then break end
        if c.taken ~= 0 then
          drop_body(c.id)
        else
          drop(c.id)
          n = n - 1
        end
      end
    end
    if n >= MOST_CODES then
      for _, c in ipairs(codes) do
        if n <= MOST_CODES * 3 / 4 or c.taken == 0 then break end
        drop(c.id)
        n = n - 1
      end
    end
  end
end
local code = {
  put = math.floor(now / 1000), expires = now + tonumber(ARGV[4]), taken = 0, attempt = NONE, session = ARGV[7], owner = ARGV[8],
}
local record do -- write_code(code)
  local c = code
  record = struct.pack(CODE, 2, c.put, c.expires, c.taken, c.attempt, c.session, c.owner)
end
for key, value in pairs({ [CODES] = record, [BODIES] = ARGV[6] }) do
  local had = redis.call('PTTL', key)
  redis.call('HSET', key, id, value)
  -- lengthen makes a key, of which PTTL has said `had` before it was written (-1 for
  -- ever, -2 if it wasn't there), live until `till` at least (0 for ever): a key that a
  -- write creates lives for ever until then. It gives a little more, so that not
  -- every rotation has to move the end. What stands `beside` it (nil for none) ends with it.
  do -- lengthen(key, had, code.expires)
    local till, beside = code.expires
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
return { ARGV[1], 1 }
