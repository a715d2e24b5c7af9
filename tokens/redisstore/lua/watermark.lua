-- Part: how long ago all of a client, or of everyone, was ended.

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

-- read_watermark returns the watermark (s) in a record, till when it holds, and whether the client is
-- blocked; 0 for none, or for one that holds no more.
local function read_watermark(v)
  if not v then return 0, 0, 0 end
  if #v ~= WATERMARK_SIZE then unreadable(v, 3) end
  local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
  if version ~= 3 then unreadable(v, 3) end
  if blocked == 0 and till ~= 0 and now >= till * 1000 then return 0, 0, 0 end
  return seconds, till, blocked
end

-- kind_of returns the tag that stands for all clients of the kind of one (storage.ClientTag.Kind):
-- NONE for those of the configuration.
local function kind_of(client)
  local first = client:byte(1)
  if first >= 192 then return '\192' .. NONE:sub(2) end
  if first >= 128 then return '\128' .. NONE:sub(2) end
  return NONE
end

-- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
-- the hash `key`. That is nil in a cluster: there it lies on another node, and what
-- the caller knows of it counts.
local function everyone(key)
  if not key then return 0 end
  local v = redis.call('HGET', key, NONE)
  return read_watermark(v)
end

-- begun_after returns the client's watermark (ms): the caller's, the stored one,
-- that of its kind or everyone's.
local function begun_after(callers, key, of)
  if not key then return callers end
  local kind = kind_of(of)
  local stored = redis.call('HMGET', key, of, NONE, kind)
  if not stored[1] and not stored[2] and not stored[3] then return callers end
  local clients = read_watermark(stored[1])
  local everyones = read_watermark(stored[2])
  local kinds = read_watermark(stored[3])
  return math.max(callers, clients * 1000, everyones * 1000, kinds * 1000)
end

-- dated_ahead remembers that something is dated ahead of the clock, by `at`
-- (s), until the clock is there and a minute longer: it may be set back.
local function dated_ahead(key, at)
  if at * 1000 > now and at > tonumber(redis.call('GET', key) or 0) then
    redis.call('SET', key, at, 'PX', at * 1000 - now + 60000)
  end
end
