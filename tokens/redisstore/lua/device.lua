-- Part: the request of a device, the value KEYS[1].

-- version; expires, polled (0 before the first poll), in milliseconds; interval in seconds; state; 1 if the last
-- poll came too soon; that poll; the decision; who has approved; code. The body follows
local DEVICE = '>BI6I6I4BBc8c8c16c16'

local PENDING, TOO_FAST, APPROVED, DENIED = 1, 2, 3, 4 -- storage.DeviceOutcome

-- read_device returns the request, or nil when there is none or it has ended.
local function read_device()
  local v = redis.call('GET', KEYS[1])
  if not v then return nil end
  if #v < 67 or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, expires, polled, interval, state, fast, polled_by, decision, user, code = struct.unpack(DEVICE, v)
  if now >= expires then return nil end
  return {
    expires = expires, polled = polled, interval = interval, state = state, fast = fast, polled_by = polled_by,
    decision = decision, user = user, code = code, body = v:sub(68),
  }
end

local function write_device(d)
  local v = struct.pack(DEVICE, 1, d.expires, d.polled, d.interval, d.state, d.fast, d.polled_by, d.decision, d.user, d.code)
  redis.call('SET', KEYS[1], v .. d.body)
  redis.call('PEXPIREAT', KEYS[1], d.expires - SHIFT)
end
