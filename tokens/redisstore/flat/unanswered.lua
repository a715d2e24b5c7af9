-- Code generated from lua/unanswered.lua by flatten; DO NOT EDIT.
--
-- Marks the current generation of a family as one that was not answered
-- (storage.Family.Unanswered).
--
-- KEYS   1 what the user holds
-- ARGV   1 number of the call   2 family   3 presented generation   4 attempts, 8 bytes each   5 asked ms   6 leeway ms
-- Result {number of the call, 1 if it is marked}

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local UNANSWERED = '\255\255\255\255\255\255\255\255' -- in the place of an attempt that was never answered

local presented, asked, leeway = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local v = redis.call('HGET', KEYS[1], ARGV[2])
local client, grant, session, generation, created, auth, expires, idle, rotated, maker
if v then
  -- read_family returns what a record says, in its order.
  local read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result do -- read_family(v)
    if #v ~= FAMILY_SIZE then
      -- unreadable ends the script, before it has written what it decides about.
      do -- unreadable(v, 1)
        local record, version = v, 1
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    local version, client, grant, session, generation, created, auth, expires, idle, rotated, attempt = struct.unpack(FAMILY, v)
    if version ~= 1 then
      do -- unreadable(v, 1)
        local record, version = v, 1
        error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
      end
    end
    read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result = client, grant, session, generation, created, auth, expires, idle, rotated, attempt
  end
  client, grant, session, generation, created, auth, expires, idle, rotated, maker = read_family_result, _read_family_result, __read_family_result, ___read_family_result, ____read_family_result, _____read_family_result, ______read_family_result, _______read_family_result, ________read_family_result, _________read_family_result
end
if not v or (presented + 1) % 4294967296 ~= generation or maker == NONE then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
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
