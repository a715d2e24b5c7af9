-- Marks the current generation of a family as one that was not answered
-- (storage.Family.Unanswered).
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 family   3 presented generation   4 attempts, 8 bytes each   5 asked ms   6 leeway ms
-- Result {number of the call, 1 if it is marked}

local presented, asked, leeway = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local v = redis.call('HGET', KEYS[1], ARGV[2])
local client, grant, session, generation, created, auth, expires, idle, rotated, maker
if v then client, grant, session, generation, created, auth, expires, idle, rotated, maker = read_family(v) end
if not v or (presented + 1) % 4294967296 ~= generation or maker == NONE then
  own_refusal(KEYS[1])
  return { ARGV[1], 0 }
end
local owed = maker == UNANSWERED or rotated <= asked and asked - rotated < leeway
for i = 1, #ARGV[4], 8 do
  owed = owed or maker == ARGV[4]:sub(i, i + 7)
end
if owed then -- also where it is marked: a caller who waits for replicas waits for it
  local record = struct.pack(FAMILY, 1, client, grant, session, generation, created, auth, expires, idle, rotated, UNANSWERED)
  redis.call('HSET', KEYS[1], ARGV[2], record)
end
return { ARGV[1], owed and 1 or 0 }
