-- Leases the logouts of a user that are due. What has waited for too long is dropped.
--
-- KEYS   1 applications to tell
-- ARGV   1 number of the call   2 lease ms   3 attempt
-- Result {number of the call, {root, client, since ms, tries …}, subject or '', next due ms or 0, number dropped}

local taken, next_due, dropped = {}, 0, 0
local till = now + tonumber(ARGV[2])
local fields = redis.call('HKEYS', KEYS[1])
table.sort(fields)
for _, field in ipairs(fields) do
  if #field == 16 then
    local v = redis.call('HGET', KEYS[1], field)
    local logout = read_logout(v)
    if now - logout.since >= KEEP_LOGOUT then
      redis.call('HDEL', KEYS[1], field)
      dropped = dropped + 1
    else
      if logout.due <= now then
        logout.due, logout.attempt = till, ARGV[3]
        redis.call('HSET', KEYS[1], field, struct.pack(LOGOUT, 1, logout.since, till, logout.tries, ARGV[3]))
      end
      if logout.attempt == ARGV[3] and logout.due > now then
        table.insert(taken, field:sub(1, 8))
        table.insert(taken, field:sub(9))
        table.insert(taken, logout.since)
        table.insert(taken, logout.tries)
      end
      if next_due == 0 or logout.due < next_due then next_due = logout.due end
    end
  end
end
if #taken == 0 then own_refusal(KEYS[1]) end
return { ARGV[1], taken, redis.call('HGET', KEYS[1], 's') or '', next_due, dropped }
