-- Code generated from lua/decide_device.lua by flatten; DO NOT EDIT.
--
-- Writes what a person has decided about a request: of any number of calls one does.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 user   4 1 for approved   5 grace ms   6 attempt
-- Result {number of the call, 1 or 0 for decided}

local PENDING, TOO_FAST, APPROVED, DENIED = 1, 2, 3, 4 -- storage.DeviceOutcome

-- version; expires, polled (0 before the first poll), in milliseconds; interval in seconds; state; 1 if the last
-- poll came too soon; that poll; the decision; who has approved; code. The body follows
local DEVICE = '>BI6I6I4BBc8c8c16c16'

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
if not d or d.code ~= ARGV[2] then
  do -- own_refusal_of(KEYS[1])
    local value = KEYS[1]
    redis.call('SETRANGE', value, 0, '')
  end
  return { ARGV[1], 0 }
end
if d.state ~= PENDING then return { ARGV[1], d.decision == ARGV[6] and 1 or 0 } end
d.state, d.user, d.decision = DENIED, ARGV[3], ARGV[6]
if ARGV[4] == '1' then
  d.state, d.expires = APPROVED, math.max(d.expires, now + tonumber(ARGV[5]))
end
do -- write_device(d)
  local v = struct.pack(DEVICE, 1, d.expires, d.polled, d.interval, d.state, d.fast, d.polled_by, d.decision, d.user, d.code)
  redis.call('SET', KEYS[1], v .. d.body)
  redis.call('PEXPIREAT', KEYS[1], d.expires - SHIFT)
end
return { ARGV[1], 1 }
