-- Says whether a client is blocked. While it is, its watermark holds; then for its own time.
--
-- KEYS   1 watermarks of the clients: client -> record (lua/watermark.lua)
-- ARGV   1 number of the call   2 client   3 1 to block it, 0 to let it in again
-- Result {number of the call}

local record, blocked = redis.call('HGET', KEYS[1], ARGV[2]), tonumber(ARGV[3])
local before, till = read_watermark(record)
if blocked == 0 and till ~= 0 and now >= till * 1000 then before = 0 end
if before == 0 and blocked == 0 then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], struct.pack(WATERMARK, 3, before, till, blocked))
end
return { ARGV[1] }
