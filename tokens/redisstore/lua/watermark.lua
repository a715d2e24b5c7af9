-- Part: how long ago all of a client, or of everyone, was ended.

local WATERMARK, WATERMARK_SIZE = '>BI4I4', 9 -- version; before; till when it holds, 0 for ever, in seconds

-- read_watermark returns the watermark (s) in a record; 0 for none, or for one that holds no more.
local function read_watermark(v)
  if not v then return 0 end
  if #v ~= WATERMARK_SIZE then unreadable(v, 2) end
  local version, seconds, till = struct.unpack(WATERMARK, v)
  if version ~= 2 then unreadable(v, 2) end
  if till ~= 0 and now >= till * 1000 then return 0 end
  return seconds
end

-- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
-- the hash `key`. That is nil in a cluster: there it lies on another node, and what
-- the caller knows of it counts.
local function everyone(key)
  if not key then return 0 end
  local v = redis.call('HGET', key, NONE)
  return read_watermark(v)
end

-- begun_after returns the client's watermark (ms): the caller's, the stored one
-- or everyone's.
local function begun_after(callers, key, of)
  if not key then return callers end
  local stored = redis.call('HMGET', key, of, NONE)
  if not stored[1] and not stored[2] then return callers end
  local clients = read_watermark(stored[1])
  local everyones = read_watermark(stored[2])
  return math.max(callers, clients * 1000, everyones * 1000)
end

-- dated_ahead remembers that something is dated ahead of the clock, by `at`
-- (s), until the clock is there and a minute longer: it may be set back.
local function dated_ahead(key, at)
  if at * 1000 > now and at > tonumber(redis.call('GET', key) or 0) then
    redis.call('SET', key, at, 'PX', at * 1000 - now + 60000)
  end
end
