-- Code generated from lua/open.lua by flatten; DO NOT EDIT.
--
-- Compares the secrets and the issuers, and remembers what the store is opened
-- with. The store belongs to the gateways of its last opening: one that has none
-- of their secrets, or none of their issuers, is a stranger. Only the first
-- opening marks the birth.
--
-- KEYS   1 what the store knows of itself: 'version', 'born' ms, 'lifetime' ms, 'secrets', 'issuers' (lines);
--          'moved' when it was exported, 'importing' (id) while an import has not finished
-- ARGV   1 number of the call   2 longest access token lifetime ms   3 ids of the secrets, 16 bytes each
--        4 '1' to export it or to take that back: it must be there, and may be stopped   5 the issuers, lines
-- Result {number of the call, born ms, or a reason why not, longest lifetime ms, secrets until now, issuers until now}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local WRONG_SECRET, MOVED, UNFINISHED, NONE_YET, OTHER_ISSUER = 0, -1, -2, -3, -4

local was = redis.call('HMGET', KEYS[1], 'version', 'born', 'lifetime', 'secrets', 'moved', 'importing', 'issuers')
if was[1] and was[1] ~= '1' then error('gatehouse: record of a newer version') end
if was[6] then return { ARGV[1], UNFINISHED, 0, '' } end
if ARGV[4] == '1' and not was[1] then return { ARGV[1], NONE_YET, 0, '' } end
if ARGV[4] ~= '1' and was[5] then return { ARGV[1], MOVED, 0, '' } end
local secrets = was[4] or ''
local known = #secrets == 0
for i = 1, #secrets, 16 do
  for j = 1, #ARGV[3], 16 do
    known = known or secrets:sub(i, i + 15) == ARGV[3]:sub(j, j + 15)
  end
end
if not known then return { ARGV[1], WRONG_SECRET, 0, '' } end
local issuers = was[7] or ''
local ours = issuers == ''
for theirs in issuers:gmatch('[^\n]+') do
  for own in ARGV[5]:gmatch('[^\n]+') do ours = ours or own == theirs end
end
if not ours then return { ARGV[1], OTHER_ISSUER, 0, '', issuers } end
local born = tonumber(was[2] or now)
local lifetime = math.max(tonumber(was[3] or 0), tonumber(ARGV[2]))
if not was[1] or secrets ~= ARGV[3] or issuers ~= ARGV[5] or lifetime ~= tonumber(was[3]) then
  redis.call('HSET', KEYS[1], 'version', '1', 'born', born, 'lifetime', lifetime, 'secrets', ARGV[3], 'issuers', ARGV[5])
end
return { ARGV[1], born, lifetime, secrets, issuers }
