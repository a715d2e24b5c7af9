-- Keeps the request of a device, unless its user code is in use.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 interval s   4 lifetime ms   5 body
-- Result {number of the call, 1 or 0 for kept}

local was = read_device()
if was then return { ARGV[1], was.code == ARGV[2] and 1 or 0 } end
local request = {
  expires = now + tonumber(ARGV[4]), polled = 0, interval = tonumber(ARGV[3]), state = PENDING, fast = 0,
  polled_by = NONE, decision = NONE, user = NONE .. NONE, code = ARGV[2], body = ARGV[5],
}
write_device(request)
return { ARGV[1], 1 }
