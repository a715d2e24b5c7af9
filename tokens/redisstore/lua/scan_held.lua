-- Returns all that a user holds, as records.
--
-- KEYS   1 what the user holds   2 the person
-- ARGV   1 number of the call
-- Result {number of the call, now ms, subject, fingerprint and person, '' for none,
--         {id of a family or session, record, id, record, ...}}

local all, records = redis.call('HGETALL', KEYS[1]), {}
local subject, fingerprint, has_person, _
for i = 1, #all, 2 do
  if all[i] == 'p' then
    subject, fingerprint, _, has_person = read_profile(all[i + 1])
  elseif #all[i] ~= 2 or all[i]:sub(1, 1) ~= 'p' then
    table.insert(records, all[i])
    table.insert(records, all[i + 1])
  end
end
local person = read_person(KEYS[2], has_person)
return { ARGV[1], now, subject or '', fingerprint or '', person, records }
