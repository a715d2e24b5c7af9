-- Code generated from lua/get_device.lua by flatten; DO NOT EDIT.
--
-- Returns the body of a request that nobody has decided about.
--
-- KEYS   1 the request
-- ARGV   1 number of the call
-- Result {number of the call, body, or false if there is none}

-- version; expires, polled (0 before the first poll), in milliseconds; interval in seconds; state; 1 if the last
-- poll came too soon; that poll; the decision; who has approved; code. The body follows
local DEVICE = '>BI6I6I4BBc8c8c16c16'

local PENDING, TOO_FAST, APPROVED, DENIED = 1, 2, 3, 4 -- storage.DeviceOutcome

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- read_device returns the request, or nil when there is none or it has ended.
local d repeat -- read_device()
  local v = redis.call('GET', KEYS[1])
  if not v then d = nil break end
  if #v < 67 or v:byte(1) ~= 1 then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 1)
      local record, version = v, 1
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, expires, polled, interval, state, fast, polled_by, decision, user, code = struct.unpack(DEVICE, v)
  if now >= expires then d = nil break end
  d = {
    expires = expires, polled = polled, interval = interval, state = state, fast = fast, polled_by = polled_by,
    decision = decision, user = user, code = code, body = v:sub(68),
  }
until true
return { ARGV[1], d and d.state == PENDING and d.body or false }
