-- Begins a family and ends the oldest of the same client (or of all that nobody registered, where it is one) beyond the cap, and the
-- oldest of the user beyond the cap for all clients.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 the person
--        4 watermarks of the clients (not in a cluster, and so the next)   5 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms    3 family         4 client       5 grant       6 session
--        7 login begun at ms     8 lifetime ms 9 idle lifetime ms              10 max active 11 begun after ms
--       12 deny for ms          13 attempt    14 authenticated at s, 0 for not known   15 code taken at ms, 0 for none
--       16 how it was dated then ms, 0 for none
-- Result {number of the call, 1 or 0 for created, issue at ms, family record or '', {evicted ids}}

local MOST_FAMILIES = 500 -- storage.MaxFamilies

local id, client, session, attempt = ARGV[3], ARGV[4], ARGV[6], ARGV[13]
local login_begun, lifetime, idle_lifetime = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local taken, dated = math.floor(tonumber(ARGV[15]) / 1000), math.floor(tonumber(ARGV[16]) / 1000)

local m = marks()
local withdrawn = withdrawn_at(client)
m.withdrawn = withdrawn
local begun = begun_after(tonumber(ARGV[11]), KEYS[4], client)
local all_ended = everyone(KEYS[4])
local g = read_grants()

local refused = all_ended ~= 0 and login_begun <= all_ended * 1000
local there = g.families[id]
if there and not refused then
  local _, _, _, generation, since, _, _, _, _, maker = read_family(there)
  if maker == attempt and generation == 1 and since * 1000 > begun then -- the same call sent again
    redis.call('HSET', KEYS[1], id, there) -- so that a caller who waits for replicas waits for it
    local at = issue_at(m, begun, KEYS[5])
    local ended = ended_by(attempt)
    return { ARGV[1], 1, at, there, ended }
  end
  refused = true
end
local disabled = entry(DISABLED)
local ended_before = entry(FAMILY_ENDED .. id)
local session_over = session_ended(session)
refused = refused or m.before ~= 0 and login_begun <= m.before * 1000 or taken ~= 0 and taken <= m.folded
  or dated ~= 0 and dated <= withdrawn
if refused or disabled or ended_before or session_over then
  own_refusal(KEYS[1])
  return { ARGV[1], 0, 0, '', {} }
end

local evicted, out = {}, {}

-- bound evicts the oldest of the living, so that with one more they are `most`:
-- nearly always one.
local function bound(living, most)
  local excess = #living + 1 - most
  if excess == 1 then
    for i = 2, #living do
      local first = older(g.families[living[i]], living[i], g.families[living[1]], living[1])
      if first then living[1] = living[i] end
    end
  elseif excess > 1 then
    table.sort(living, function(a, b) return older(g.families[a], a, g.families[b], b) end)
  end
  for i = 1, excess do
    table.insert(evicted, living[i])
    out[living[i]] = true
  end
end

local same, all = {}, {}
local unregistered = client:byte(1) >= 128 -- storage.ClientTag.Together
for other, v in pairs(g.families) do
  local its = v:sub(CLIENT_AT, CLIENT_AT + 7)
  if its == client or unregistered and its:byte(1) >= 128 then
    local _, _, _, _, since, _, expires, idle, rotated = read_family(v)
    local expires_by, idle_by = limited(since, rotated, expires, idle, lifetime, idle_lifetime)
    local till = earlier(expires_by, idle_by)
    g.ends[other] = till * 1000
    local dead = over(till * 1000)
    if not dead and since * 1000 > begun then table.insert(same, other) end
  end
end
bound(same, math.max(1, tonumber(ARGV[10])))
for other, till in pairs(g.ends) do
  local dead = over(till)
  if not dead and not out[other] then table.insert(all, other) end
end
bound(all, MOST_FAMILIES)
table.sort(evicted)

forget(g, g.expired)
forget(g, evicted)
local had = redis.call('PTTL', KEYS[1])
local denied_till = end_of(now, tonumber(ARGV[12]))
for _, other in ipairs(evicted) do
  deny(FAMILY_ENDED .. other, denied_till, attempt, LIVED)
end
local issued = issue_at(m, begun, KEYS[5])
local created = math.floor(issued / 1000)
local lives_till = end_of(created * 1000, lifetime)
local unused_till = end_of(now, idle_lifetime)
local family_till = earlier(lives_till, unused_till)
local record = struct.pack(FAMILY, 1, client, ARGV[5], session, 1, created, tonumber(ARGV[14]), lives_till, unused_till, now, attempt)
redis.call('HSET', KEYS[1], id, record)
g.families[id], g.ends[id] = record, family_till * 1000
settle(g, had, KEYS[3])
return { ARGV[1], 1, issued, record, evicted }
