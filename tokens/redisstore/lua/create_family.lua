-- Begins a family and ends the oldest of the same client beyond the cap.
--
-- KEYS   1 what the user holds   2 what is denied of the user   3 watermarks of the clients (not in a cluster, and so the next)
--        4 the latest date ahead of the clock
-- ARGV   1 number of the call    2 grace ms    3 family         4 client       5 grant       6 session
--        7 authenticated at ms   8 lifetime ms 9 idle lifetime ms              10 max active 11 begun after ms
--       12 deny for ms          13 attempt
-- Result {number of the call, 1 or 0 for created, issue at ms, family record or '', {evicted ids}}

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
  if was.attempt ~= attempt or was.generation ~= 1 or was.created * 1000 <= begun then return refused() end
  -- The same call sent again.
  redis.call('HSET', KEYS[1], id, write_family(was)) -- so that a caller who waits for replicas waits for it
  return { ARGV[1], 1, issue_at(m, begun, KEYS[4]), write_family(was), ended_by(attempt) }
end
if m.before ~= 0 and tonumber(ARGV[7]) <= m.before * 1000 then return refused() end
if entry(DISABLED) or entry(FAMILY_ENDED .. id) then return refused() end
if session_ended(session) then return refused() end

local live = {}
for other, f in pairs(g.families) do
  if f.client == client then
    limit(f, lifetime, idle_lifetime)
    if not dead(f) and f.created * 1000 > begun then
      f.id = other
      table.insert(live, f)
    end
  end
end
table.sort(live, function(a, b)
  if a.created ~= b.created then return a.created < b.created end
  if a.rotated ~= b.rotated then return a.rotated < b.rotated end
  return a.id < b.id
end)
local evicted = {}
for i = 1, #live + 1 - math.max(1, tonumber(ARGV[10])) do
  evicted[i] = live[i].id
end
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
  auth = math.floor(tonumber(ARGV[7]) / 1000), expires = end_of(created * 1000, lifetime),
  idle = end_of(now, idle_lifetime), rotated = now, attempt = attempt,
}
local record = write_family(f)
redis.call('HSET', KEYS[1], id, record)
g.families[id] = f
settle(g, had)
return { ARGV[1], 1, at, record, evicted }
