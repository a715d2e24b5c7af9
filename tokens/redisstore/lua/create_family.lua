-- Begins a family and ends the oldest of the same client beyond the cap, and the
-- oldest of the user beyond the cap for all clients.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 watermarks of the clients (not in a cluster, and so the next)
--        4 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms    3 family         4 client       5 grant       6 session
--        7 login begun at ms     8 lifetime ms 9 idle lifetime ms              10 max active 11 begun after ms
--       12 deny for ms          13 attempt    14 authenticated at s, 0 for not known   15 code taken at ms, 0 for none
-- Result {number of the call, 1 or 0 for created, issue at ms, family record or '', {evicted ids}}

local MOST_FAMILIES = 500 -- tokens.MaxFamilies

local id, client, session, attempt = ARGV[3], ARGV[4], ARGV[6], ARGV[13]
local lifetime, idle_lifetime = tonumber(ARGV[8]), tonumber(ARGV[9])

local function refused()
  own_refusal(KEYS[1])
  return { ARGV[1], 0, 0, '', {} }
end

local m = marks()
local begun = begun_after(tonumber(ARGV[11]), KEYS[3], client)
local g = read_grants()

local all_ended = everyone(KEYS[3])
if all_ended ~= 0 and tonumber(ARGV[7]) <= all_ended * 1000 then return refused() end
local was = g.families[id]
if was then
  was = read_family(was)
  if was.attempt ~= attempt or was.generation ~= 1 or was.created * 1000 <= begun then return refused() end
  -- The same call sent again.
  redis.call('HSET', KEYS[1], id, write_family(was)) -- so that a caller who waits for replicas waits for it
  return { ARGV[1], 1, issue_at(m, begun, KEYS[4]), write_family(was), ended_by(attempt) }
end
if m.before ~= 0 and tonumber(ARGV[7]) <= m.before * 1000 then return refused() end
if entry(DISABLED) or entry(FAMILY_ENDED .. id) then return refused() end
local taken = math.floor(tonumber(ARGV[15]) / 1000)
if taken ~= 0 and taken <= m.folded then return refused() end
if session_ended(session) then return refused() end

local evicted, out = {}, {}

-- bound evicts the oldest of the living, so that with one more they are `most`:
-- nearly always one.
local function bound(living, most)
  local function before(a, b) return older(g.families[a], a, g.families[b], b) end
  local excess = #living + 1 - most
  if excess == 1 then
    for i = 2, #living do
      if before(living[i], living[1]) then living[1] = living[i] end
    end
  elseif excess > 1 then
    table.sort(living, before)
  end
  for i = 1, excess do
    table.insert(evicted, living[i])
    out[living[i]] = true
  end
end

local same, all = {}, {}
for other, v in pairs(g.families) do
  if v:sub(CLIENT_AT, CLIENT_AT + 7) == client then
    local f = limit(read_family(v), lifetime, idle_lifetime)
    g.ends[other] = family_end(f)
    if not dead(f) and f.created * 1000 > begun then table.insert(same, other) end
  end
end
bound(same, math.max(1, tonumber(ARGV[10])))
for other in pairs(g.families) do
  if lives(g, other) and not out[other] then table.insert(all, other) end
end
bound(all, MOST_FAMILIES)
table.sort(evicted)

forget(g, g.expired)
forget(g, evicted)
local had = left(KEYS[1])
for _, other in ipairs(evicted) do
  deny(FAMILY_ENDED .. other, end_of(now, tonumber(ARGV[12])), attempt, LIVED)
end
local at = issue_at(m, begun, KEYS[4])
local created = math.floor(at / 1000)
local f = {
  client = client, grant = ARGV[5], session = session, generation = 1, created = created,
  auth = tonumber(ARGV[14]), expires = end_of(created * 1000, lifetime),
  idle = end_of(now, idle_lifetime), rotated = now, attempt = attempt,
}
local record = write_family(f)
redis.call('HSET', KEYS[1], id, record)
g.families[id], g.ends[id] = record, family_end(f)
settle(g, had)
return { ARGV[1], 1, at, record, evicted }
