-- Code generated from lua/poll_device.lua by flatten; DO NOT EDIT.
--
-- Tells a device what became of its request.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 slack ms   4 step s   5 longest interval s   6 attempt
-- Result {number of the call, storage.DeviceOutcome, interval s, user or '', body if approved, or ''}

local PENDING, TOO_FAST, APPROVED, DENIED = 1, 2, 3, 4 -- storage.DeviceOutcome

-- version; expires, polled (0 before the first poll), in milliseconds; interval in seconds; state; 1 if the last
-- poll came too soon; that poll; the decision; who has approved; code. The body follows
local DEVICE = '>BI6I6I4BBc8c8c16c16'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- Behind the number of the call may stand until when its caller waits. A server that
-- stood still finds calls in its sockets whose callers were told 503 long ago: what
-- they hold must not be spent behind their backs. Then this is the answer.
local late repeat -- come_too_late()
  local number, deadline = ARGV[1]:match('^(%d+)@(%d+)$')
  if not number then late = nil break end
  ARGV[1] = number
  if now - SHIFT <= tonumber(deadline) then late = nil break end
  late = { number, 'late', now - SHIFT }
until true
if late then return late end

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
  return { ARGV[1], 0, 0, '', '' }
end
if d.state ~= PENDING then return { ARGV[1], d.state, d.interval, d.user, d.state == APPROVED and d.body or '' } end
if d.polled == 0 or d.polled_by ~= ARGV[6] then -- else it is the same call sent again
  d.fast = 0
  if d.polled ~= 0 and now - d.polled < d.interval * 1000 - tonumber(ARGV[3]) then
    d.fast, d.interval = 1, math.min(d.interval + tonumber(ARGV[4]), tonumber(ARGV[5]))
  end
  d.polled, d.polled_by = now, ARGV[6]
  do -- write_device(d)
    local v = struct.pack(DEVICE, 1, d.expires, d.polled, d.interval, d.state, d.fast, d.polled_by, d.decision, d.user, d.code)
    redis.call('SET', KEYS[1], v .. d.body)
    redis.call('PEXPIREAT', KEYS[1], d.expires - SHIFT)
  end
end
return { ARGV[1], d.fast == 1 and TOO_FAST or PENDING, d.interval, '', '' }
