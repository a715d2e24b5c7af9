-- Returns all that a user holds, as records.
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call
-- Result {number of the call, now ms, profile, or false if there is none, fingerprint,
--         {id of a family or session, record, id, record, ...}}

local all, records = redis.call('HGETALL', KEYS[1]), {}
local profile, fingerprint
for i = 1, #all, 2 do
  if all[i] == 'p' then
    profile, fingerprint = read_profile(all[i + 1])
  elseif #all[i] ~= 2 or all[i]:sub(1, 1) ~= 'p' then
    table.insert(records, all[i])
    table.insert(records, all[i + 1])
  end
end
return { ARGV[1], now, profile or false, fingerprint or NONE, records }
