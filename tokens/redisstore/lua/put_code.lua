-- Keeps an authorization code, unless it is there or its session is over.
--
-- KEYS   1 what the user holds   2 codes of the user   3 their bodies   4 watermarks of the clients (not in a cluster)
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 lifetime ms   5 session   6 body
--        7 session that what comes of the code belongs to   8 owner
-- Result {number of the call, 1 or 0 for kept}

local CODES, BODIES, id = KEYS[2], KEYS[3], ARGV[3]

-- make_room removes what has expired, and where that is not enough, the bodies of
-- spent codes, then good codes, then spent ones, the oldest first, down to three
-- quarters of what there may be: so that it is not needed for every code. It
-- reads no more than MOST_CODES records. It is asked for now and then all the same,
-- for the sake of what has expired.
local function make_room()
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
    local c = read_code(all[i + 1])
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

local v = redis.call('HGET', KEYS[1], ARGV[5])
local gone = not v
if v then
  local session = read_session(v)
  local dead = over(session.expires * 1000)
  local all_ended = everyone(KEYS[4])
  gone = dead or session.begun <= all_ended
end
if gone then
  own_refusal(KEYS[1])
  return { ARGV[1], 0 }
end
v = redis.call('HGET', CODES, id)
if v then
  local was = read_code(v)
  if now < was.expires then return { ARGV[1], 1 } end
end
local there = redis.call('HLEN', CODES)
if there % 16 == 15 or there >= MOST_CODES or redis.call('HLEN', BODIES) >= MOST_BODIES then make_room() end
local code = {
  put = math.floor(now / 1000), expires = now + tonumber(ARGV[4]), taken = 0, attempt = NONE, session = ARGV[7], owner = ARGV[8],
}
local record = write_code(code)
for key, value in pairs({ [CODES] = record, [BODIES] = ARGV[6] }) do
  local had = redis.call('PTTL', key)
  redis.call('HSET', key, id, value)
  lengthen(key, had, code.expires)
end
return { ARGV[1], 1 }
