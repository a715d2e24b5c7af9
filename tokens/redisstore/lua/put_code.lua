-- Keeps an authorization code, unless it is there or its session is over, and the consent that
-- comes with it: unless that which it rests on is not there any more.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 codes of the user   4 their bodies   5 consents of the user
--        6 watermarks of the clients (not in a cluster, and so the next)   7 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 lifetime ms   5 session   6 body
--        7 session that what comes of the code belongs to   8 owner   9 client
--       10 what was agreed to when it was made, '' for nothing      11 text of a new consent, '' for none
-- Result {number of the call, storage.PutOutcome}

local NOTHING, KEPT_NOW, OTHER_CONSENT = 0, 1, 2

local CODES, BODIES, id, client = KEYS[3], KEYS[4], ARGV[3], ARGV[9]

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
  local all_ended = everyone(KEYS[6])
  gone = dead or session.begun <= all_ended
end
if gone then
  own_refusal(KEYS[1])
  return { ARGV[1], NOTHING }
end
v = redis.call('HGET', CODES, id)
if v then
  local was = read_code(v)
  if now < was.expires then return { ARGV[1], KEPT_NOW } end
end
local second = math.floor(now / 1000)
local consent = read_consent(KEYS[5], client)
if (ARGV[10] ~= '' or ARGV[11] ~= '') and (consent and consent.agreed or '') ~= ARGV[10] then
  own_refusal(KEYS[1])
  return { ARGV[1], OTHER_CONSENT }
end
if ARGV[11] ~= '' then
  bound_consents(KEYS[5], client)
  consent = { when = second, text = ARGV[11] }
elseif consent and second - consent.used < TOUCH_CONSENT then
  consent = nil
end
if consent then write_consent(KEYS[5], client, consent.when, consent.text) end
local put = now
local m = marks()
local withdrawn = withdrawn_at(client)
m.withdrawn = withdrawn
if math.max(m.before, withdrawn) >= second then put = issue_at(m, 0, KEYS[7]) end
local there = redis.call('HLEN', CODES)
if there % 16 == 15 or there >= MOST_CODES or redis.call('HLEN', BODIES) >= MOST_BODIES then make_room() end
local code = {
  put = math.floor(put / 1000), expires = now + tonumber(ARGV[4]), taken = 0, attempt = NONE, session = ARGV[7], owner = ARGV[8],
}
local record = write_code(code)
for key, value in pairs({ [CODES] = record, [BODIES] = ARGV[6] }) do
  local had = redis.call('PTTL', key)
  redis.call('HSET', key, id, value)
  lengthen(key, had, code.expires)
end
return { ARGV[1], KEPT_NOW }
