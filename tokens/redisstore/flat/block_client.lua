-- Code generated from lua/block_client.lua by flatten; DO NOT EDIT.
--
-- Says whether a client is blocked. While it is, its watermark holds; then for its own time.
--
-- KEYS   1 watermarks of the clients: client -> record (lua/watermark.lua)
-- ARGV   1 number of the call   2 client   3 1 to block it, 0 to let it in again
-- Result {number of the call}

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local record, blocked = redis.call('HGET', KEYS[1], ARGV[2]), tonumber(ARGV[3])
-- read_watermark returns the watermark (s) in a record, till when it holds, and whether the client is
-- blocked; 0 for none, or for one that holds no more.
local read_watermark_result, _read_watermark_result repeat -- read_watermark(record)
  local v = record
  if not v then read_watermark_result, _read_watermark_result = 0, 0, 0 break end
  if #v ~= WATERMARK_SIZE then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 3)
      local record, version = v, 3
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
  if version ~= 3 then
    do -- unreadable(v, 3)
      local record, version = v, 3
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  if blocked == 0 and till ~= 0 and now >= till * 1000 then read_watermark_result, _read_watermark_result = 0, 0, 0 break end
  read_watermark_result, _read_watermark_result = seconds, till, blocked
until true
local before, till = read_watermark_result, _read_watermark_result
if blocked == 0 and till ~= 0 and now >= till * 1000 then before = 0 end
if before == 0 and blocked == 0 then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], struct.pack(WATERMARK, 3, before, till, blocked))
end
return { ARGV[1] }
