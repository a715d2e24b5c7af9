-- Sets a client's watermark to the store's time. A second call within one
-- second moves it one second ahead of the clock, since a login in between was
-- dated by that second, but never further.
--
-- KEYS   1 watermarks of the clients: client -> version, seconds
-- ARGV   1 number of the call   2 client
-- Result {number of the call, watermark in seconds}

local v = redis.call('HGET', KEYS[1], ARGV[2])
local before, was = math.floor(now / 1000), 0
if v then
  if #v ~= 5 or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _
  _, was = struct.unpack('>BI4', v)
end
if was >= before then before = math.max(was, before + 1) end
redis.call('HSET', KEYS[1], ARGV[2], struct.pack('>BI4', 1, before))
return { ARGV[1], before }
