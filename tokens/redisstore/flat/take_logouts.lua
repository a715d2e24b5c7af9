-- Code generated from lua/take_logouts.lua by flatten; DO NOT EDIT.
--
-- Leases the logouts of a user that are due. What has waited for too long is dropped.
--
-- KEYS   1 applications to tell
-- ARGV   1 number of the call   2 lease ms   3 attempt
-- Result {number of the call, {root, client, since ms, tries …}, subject or '', next due ms or 0, number dropped}

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local taken, next_due, dropped = {}, 0, 0
local till = now + tonumber(ARGV[2])
local fields = redis.call('HKEYS', KEYS[1])
table.sort(fields)
for _, field in ipairs(fields) do
  if #field == 16 then
    local v = redis.call('HGET', KEYS[1], field)
    local logout do -- read_logout(v)
      if #v ~= LOGOUT_SIZE or v:byte(1) ~= 1 then
        -- unreadable ends the script, before it has written what it decides about.
        do -- unreadable(v, 1)
          local record, version = v, 1
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local _, since, due, tries, attempt = struct.unpack(LOGOUT, v)
      logout = { since = since, due = due, tries = tries, attempt = attempt }
    end
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
if #taken == 0 then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], taken, redis.call('HGET', KEYS[1], 's') or '', next_due, dropped }
