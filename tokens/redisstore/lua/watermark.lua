-- Prelude: how long ago all of a client, or of everyone, was ended.

local WATERMARK, WATERMARK_SIZE = '>BI4I4', 9 -- version; before; till when it holds, 0 for ever, in seconds

-- watermark returns that of a client (s), 0 for none, from the hash `key`,
-- which is nil in a cluster: there it lies on another node, and what the caller
-- knows of it counts.
local function watermark(key, client)
  local v = key and redis.call('HGET', key, client)
  if not v then return 0 end
  if #v ~= WATERMARK_SIZE or v:byte(1) ~= 2 then unreadable(v, 2) end
  local _, seconds, till = struct.unpack(WATERMARK, v)
  if till ~= 0 and now >= till * 1000 then return 0 end
  return seconds
end

-- everyone returns the watermark that holds for all clients (tokens.Everyone).
local function everyone(key)
  return watermark(key, NONE)
end

-- begun_after returns the client's watermark (ms): the caller's, the stored one
-- or everyone's.
local function begun_after(callers, key, client)
  return math.max(callers, math.max(watermark(key, client), everyone(key)) * 1000)
end

-- dated_ahead remembers that something is dated ahead of the clock, by `at`
-- (s), until the clock is there and a minute longer: it may be set back.
local function dated_ahead(key, at)
  if at * 1000 > now and at > tonumber(redis.call('GET', key) or 0) then
    redis.call('SET', key, at, 'PX', at * 1000 - now + 60000)
  end
end
