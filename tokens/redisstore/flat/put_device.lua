-- Code generated from lua/put_device.lua by flatten; DO NOT EDIT.
--
-- Keeps the request of a device, unless its user code is in use.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 interval s   4 lifetime ms   5 body
-- Result {number of the call, 1 or 0 for kept}

-- version; expires, polled (0 before the first poll), in milliseconds; interval in seconds; state; 1 if the last
-- poll came too soon; that poll; the decision; who has approved; code. The body follows
local DEVICE = '>BI6I6I4BBc8c8c16c16'

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local PENDING, TOO_FAST, APPROVED, DENIED = 1, 2, 3, 4 -- storage.DeviceOutcome

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- read_device returns the request, or nil when there is none or it has ended.
local was repeat -- read_device()
  local v = redis.call('GET', KEYS[1])
  if not v then was = nil break end
  if #v < 67 or v:byte(1) ~= 1 then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, expires, polled, interval, state, fast, polled_by, decision, user, code = struct.unpack(DEVICE, v)
  if now >= expires then was = nil break end
  was = {
    expires = expires, polled = polled, interval = interval, state = state, fast = fast, polled_by = polled_by,
    decision = decision, user = user, code = code, body = v:sub(68),
  }
until true
if was then return { ARGV[1], was.code == ARGV[2] and 1 or 0 } end
local request = {
  expires = now + tonumber(ARGV[4]), polled = 0, interval = tonumber(ARGV[3]), state = PENDING, fast = 0,
  polled_by = NONE, decision = NONE, user = NONE .. NONE, code = ARGV[2], body = ARGV[5],
}
do -- write_device(request)
  local d = request
  local v = struct.pack(DEVICE, 1, d.expires, d.polled, d.interval, d.state, d.fast, d.polled_by, d.decision, d.user, d.code)
  redis.call('SET', KEYS[1], v .. d.body)
  redis.call('PEXPIREAT', KEYS[1], d.expires - SHIFT)
end
return { ARGV[1], 1 }
