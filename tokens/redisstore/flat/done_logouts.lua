-- Code generated from lua/done_logouts.lua by flatten; DO NOT EDIT.
--
-- Says what became of logouts, under the lease of the attempt.
--
-- KEYS   1 applications to tell
-- ARGV   1 number of the call   2 attempt   3 root and client   4 when to try again ms from now, -1 for never
--        5 1 or 0 for whether it was tried
-- Result {number of the call, till when it was leased ms or 0, next due ms or 0}

local MOST_NOTED, MOST_TOLD, MOST_LOGOUTS, KEEP_LOGOUT = 50, 14, 64, 86400000 -- storage.MaxNoted, MaxTold, MaxLogouts, KeepLogout in ms
local NOTE, NOTED_AT = '>BI4I4', 10
local LOGOUT, LOGOUT_SIZE = '>BI6I6Bc8', 22

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local v = redis.call('HGET', KEYS[1], ARGV[3])
local logout = { attempt = NONE, due = 0 }
if v then
  do -- read_logout(v)
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
end
local leased = 0
if logout.attempt == ARGV[2] then
  leased = logout.due
  local after = tonumber(ARGV[4])
  if after < 0 then
    redis.call('HDEL', KEYS[1], ARGV[3])
  else
    redis.call('HSET', KEYS[1], ARGV[3], struct.pack(LOGOUT, 1, logout.since, now + after, math.min(255, logout.tries + tonumber(ARGV[5])), NONE))
  end
end
local next_due, others, noted = 0, 0, 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if #field == 16 then
    local one = redis.call('HGET', KEYS[1], field)
    local other do -- read_logout(one)
      local v = one
      if #v ~= LOGOUT_SIZE or v:byte(1) ~= 1 then
        do -- unreadable(v, 1)
          local record, version = v, 1
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local _, since, due, tries, attempt = struct.unpack(LOGOUT, v)
      other = { since = since, due = due, tries = tries, attempt = attempt }
    end
    others = others + 1
    if next_due == 0 or other.due < next_due then next_due = other.due end
  elseif #field == 9 then
    noted = noted + 1
  end
end
if others + noted == 0 then redis.call('UNLINK', KEYS[1]) end
if leased == 0 then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], leased, next_due }
