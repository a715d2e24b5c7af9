-- Tells a device what became of its request.
--
-- KEYS   1 the request
-- ARGV   1 number of the call   2 code   3 slack ms   4 step s   5 longest interval s   6 attempt
-- Result {number of the call, storage.DeviceOutcome, interval s, user or '', body if approved, or ''}

local late = come_too_late()
if late then return late end

local d = read_device()
if not d or d.code ~= ARGV[2] then
  own_refusal_of(KEYS[1])
  return { ARGV[1], 0, 0, '', '' }
end
if d.state ~= PENDING then return { ARGV[1], d.state, d.interval, d.user, d.state == APPROVED and d.body or '' } end
if d.polled == 0 or d.polled_by ~= ARGV[6] then -- else it is the same call sent again
  d.fast = 0
  if d.polled ~= 0 and now - d.polled < d.interval * 1000 - tonumber(ARGV[3]) then
    d.fast, d.interval = 1, math.min(d.interval + tonumber(ARGV[4]), tonumber(ARGV[5]))
  end
  d.polled, d.polled_by = now, ARGV[6]
  write_device(d)
end
return { ARGV[1], d.fast == 1 and TOO_FAST or PENDING, d.interval, '', '' }
