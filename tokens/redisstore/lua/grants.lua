-- Prelude: all that a user holds, in the hash KEYS[1]. A field's length tells what it is:
--   16  family id   -> packed family
--    8  session id  -> packed session: version 2, and 16 if the root (8) follows; the rest is the acr
--    1  'p'         -> profile: version 1, and 16 if the fingerprint (8) follows, and 32 if the number of
--                      further pieces (1) does; first piece
--    2  'p', number -> further piece of the profile
-- No value is longer than 63 bytes, but for profiles of many kilobytes: so
-- Redis keeps the hash as a listpack, which takes a third of the memory.
-- ARGV[2] is for how long the profile is kept when all else is over.

local GRACE = tonumber(ARGV[2])
local SESSION = '>BI4I4I4I4' -- version; begun, authenticated (0 for not known), expires, last used, in seconds

-- read_session reads a session. Its root is nil where that is the session itself.
local function read_session(v)
  local head, at = v:byte(1), 18
  if #v < 17 or head ~= 2 and head ~= 18 then unreadable(v, 2) end
  local s, _ = {}
  _, s.begun, s.auth, s.expires, s.used = struct.unpack(SESSION, v)
  if head == 18 then
    s.root, at = v:sub(18, 25), 26
    if #s.root ~= 8 then unreadable(v, 18) end
  end
  s.acr = v:sub(at)
  return s
end

local function session_over(s)
  return s.expires ~= 0 and now >= s.expires * 1000
end

local function write_session(s)
  return struct.pack(SESSION, s.root and 18 or 2, s.begun, s.auth, s.expires, s.used) .. (s.root or '') .. s.acr
end

-- read_profile makes a profile of the value of 'p'; nil where there is none.
local function read_profile(v)
  if not v then return nil end
  local head, at = v:byte(1), 2
  if head % 16 ~= 1 or head >= 64 then unreadable(v, 1) end
  local p = { fingerprint = NONE, pieces = 0 }
  if head % 32 >= 16 then
    p.fingerprint, at = v:sub(at, at + 7), at + 8
  end
  if head >= 32 then
    p.pieces, at = v:byte(at), at + 1
  end
  p.text = v:sub(at)
  if p.pieces > 0 then
    local fields = {}
    for i = 1, p.pieces do fields[i] = 'p' .. string.char(i) end
    local rest = redis.call('HMGET', KEYS[1], unpack(fields))
    for i = 1, p.pieces do
      if not rest[i] then error('gatehouse: damaged record') end
    end
    p.text = p.text .. table.concat(rest)
  end
  return p
end

-- write_profile replaces the profile `was`, if it is not nil.
local function write_profile(was, fingerprint, text)
  local head, fields = 1, {}
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
  for i = pieces + 1, was and was.pieces or 0 do
    redis.call('HDEL', KEYS[1], 'p' .. string.char(i))
  end
  redis.call('HSET', KEYS[1], 'p', string.char(head) .. table.concat(fields) .. text)
end

-- read_grants reads everything: the records of families and when those end,
-- sessions by id, the fields of the profile with their values, and the ids of what
-- has expired. There are no more than tokens.MaxFamilies and MaxSessions allow.
local function read_grants()
  local all = redis.call('HGETALL', KEYS[1])
  local g = { families = {}, ends = {}, sessions = {}, profile = {}, expired = {} }
  for i = 1, #all, 2 do
    local id, v = all[i], all[i + 1]
    if #id == 16 then
      local e = end_in(v)
      g.families[id], g.ends[id] = v, e
      if e ~= 0 and now >= e then table.insert(g.expired, id) end
    elseif #id == 8 then
      local s = read_session(v)
      g.sessions[id] = s
      if session_over(s) then table.insert(g.expired, id) end
    else
      table.insert(g.profile, id)
      table.insert(g.profile, v)
    end
  end
  return g
end

-- lives reports whether a family of g is not dead.
local function lives(g, id)
  local e = g.ends[id]
  return e == 0 or now < e
end

-- forget removes fields and what was read of them.
local function forget(g, ids)
  for i = 1, #ids, 1000 do
    redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
  end
  for _, id in ipairs(ids) do
    g.families[id], g.ends[id], g.sessions[id] = nil, nil, nil
  end
end

-- settle makes the hash, which had `had` left, live as long as what is in g.
local function settle(g, had)
  local till = now
  for _, e in pairs(g.ends) do
    if e == 0 then return lengthen(KEYS[1], had, 0) end
    till = math.max(till, e)
  end
  for _, s in pairs(g.sessions) do
    if s.expires == 0 then return lengthen(KEYS[1], had, 0) end
    till = math.max(till, s.expires * 1000)
  end
  if had == -1 then had = -2 end -- it lived for ever, for the sake of something that is gone
  lengthen(KEYS[1], had, till + GRACE)
end

-- forget_family removes one family.
local function forget_family(id)
  local had = left(KEYS[1])
  redis.call('HDEL', KEYS[1], id)
  if had == -1 then settle(read_grants(), had) end
end

-- forget_all removes everything but the profile.
local function forget_all(g)
  local had = left(KEYS[1])
  redis.call('UNLINK', KEYS[1]) -- what is written anew is compact again
  g.families, g.ends, g.sessions = {}, {}, {}
  if #g.profile > 0 then
    redis.call('HSET', KEYS[1], unpack(g.profile))
    redis.call('PEXPIREAT', KEYS[1], (had >= 0 and now + had or now + GRACE) - SHIFT)
  end
end
