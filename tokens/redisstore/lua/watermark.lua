-- Prelude: how long ago all of a client, or of everyone, was ended.

-- watermark returns that of a client (s), 0 for none, from the hash `key`,
-- which is nil in a cluster: there it lies on another node, and what the caller
-- knows of it counts.
local function watermark(key, client)
  local v = key and redis.call('HGET', key, client)
  if not v then return 0 end
  if #v ~= 5 or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, seconds = struct.unpack('>BI4', v)
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
