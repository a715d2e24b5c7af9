-- Lets a disabled user log in again. The entry is over from now on, and tells
-- for a while who has ended it. The key ends with what is left in it.
--
-- KEYS   1 what the user holds (not used)   2 what is denied of the user
-- ARGV   1 number of the call   2 attempt
-- Result {number of the call, 1 or 0 for whether the user was disabled}

local v = redis.call('HGET', KEYS[2], DISABLED)
if not v then return { ARGV[1], 0 } end
local d = read_entry(v)
if now >= d.till * 1000 then return { ARGV[1], d.attempt == ARGV[2] and 1 or 0 } end
redis.call('HSET', KEYS[2], DISABLED, struct.pack(ENTRY, 1, math.floor(now / 1000), ARGV[2], 0))
local till, all = now + FOLD_AFTER * 1000, redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if all[i] == '\0' then
    local m = read_marks(all[i + 1])
    till = math.max(till, m.till * 1000, (m.issued + 1) * 1000, (m.folded + FOLD_AFTER + 1) * 1000)
  else
    local other = read_entry(all[i + 1])
    till = math.max(till, other.till * 1000)
  end
end
lengthen(KEYS[2], -2, till)
return { ARGV[1], 1 }
