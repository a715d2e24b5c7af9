-- Code generated from lua/end_client.lua by flatten; DO NOT EDIT.
--
-- Sets a client's watermark to the store's time. A second call within one
-- second moves it one second ahead of the clock, since a machine's token in
-- between was dated by that second, but no further than anything is dated.
-- After a failover it is repeated, and then only sets what was set before.
--
-- KEYS   1 watermarks of the clients: client -> record (lua/watermark.lua)   2 the latest date ahead of the clock
-- ARGV   1 number of the call   2 client   3 for how long it holds in seconds, 0 for ever
--        4 watermark in seconds, when it is repeated
-- Result {number of the call, watermark in seconds}

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

-- version; before; till when it holds, 0 for ever, in seconds; 1 for a client that is blocked, for as long as that is so
local WATERMARK, WATERMARK_SIZE = '>BI4I4B', 10

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local client = ARGV[2]
local before, record = math.floor(now / 1000), redis.call('HGET', KEYS[1], client)
-- read_watermark returns the watermark (s) in a record, till when it holds, and whether the client is
-- blocked; 0 for none, or for one that holds no more.
local read_watermark_result, _read_watermark_result, __read_watermark_result repeat -- read_watermark(record)
  local v = record
  if not v then read_watermark_result, _read_watermark_result, __read_watermark_result = 0, 0, 0 break end
  if #v ~= WATERMARK_SIZE then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 3)
      local record, version = v, 3
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
  if version ~= 3 then
    do -- unreadable(v, 3)
      local record, version = v, 3
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  if blocked == 0 and till ~= 0 and now >= till * 1000 then read_watermark_result, _read_watermark_result, __read_watermark_result = 0, 0, 0 break end
  read_watermark_result, _read_watermark_result, __read_watermark_result = seconds, till, blocked
until true
local was, was_till, blocked = read_watermark_result, _read_watermark_result, __read_watermark_result
if ARGV[4] then
  before = math.max(was, tonumber(ARGV[4]))
else
  -- kind_of returns the tag that stands for all clients of the kind of one (storage.ClientTag.Kind):
  -- NONE for those of the configuration.
  local kind repeat -- kind_of(client)
    local first = client:byte(1)
    if first >= 192 then kind = '\192' .. NONE:sub(2) break end
    if first >= 128 then kind = '\128' .. NONE:sub(2) break end
    kind = NONE
  until true
  -- begun_after returns the client's watermark (ms): the caller's, the stored one,
  -- that of its kind or everyone's.
  local newest repeat -- begun_after(was * 1000, KEYS[1], client)
    local callers, key, of = was * 1000, KEYS[1], client
    if not key then newest = callers break end
    local kind repeat -- kind_of(of)
      local client = of
      local first = client:byte(1)
      if first >= 192 then kind = '\192' .. NONE:sub(2) break end
      if first >= 128 then kind = '\128' .. NONE:sub(2) break end
      kind = NONE
    until true
    local stored = redis.call('HMGET', key, of, NONE, kind)
    if not stored[1] and not stored[2] and not stored[3] then newest = callers break end
    local clients repeat -- read_watermark(stored[1])
      local v = stored[1]
      if not v then clients = 0, 0, 0 break end
      if #v ~= WATERMARK_SIZE then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
      if version ~= 3 then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      if blocked == 0 and till ~= 0 and now >= till * 1000 then clients = 0, 0, 0 break end
      clients = seconds, till, blocked
    until true
    local everyones repeat -- read_watermark(stored[2])
      local v = stored[2]
      if not v then everyones = 0, 0, 0 break end
      if #v ~= WATERMARK_SIZE then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
      if version ~= 3 then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      if blocked == 0 and till ~= 0 and now >= till * 1000 then everyones = 0, 0, 0 break end
      everyones = seconds, till, blocked
    until true
    local kinds repeat -- read_watermark(stored[3])
      local v = stored[3]
      if not v then kinds = 0, 0, 0 break end
      if #v ~= WATERMARK_SIZE then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
      if version ~= 3 then
        do -- unreadable(v, 3)
          local record, version = v, 3
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      if blocked == 0 and till ~= 0 and now >= till * 1000 then kinds = 0, 0, 0 break end
      kinds = seconds, till, blocked
    until true
    newest = math.max(callers, clients * 1000, everyones * 1000, kinds * 1000)
  until true
  was = newest / 1000
  if client == kind then -- the others' have dated tokens, too
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local mark, mark_till, mark_blocked repeat -- read_watermark(all[i + 1])
        local v = all[i + 1]
        if not v then mark, mark_till, mark_blocked = 0, 0, 0 break end
        if #v ~= WATERMARK_SIZE then
          do -- unreadable(v, 3)
            local record, version = v, 3
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local version, seconds, till, blocked = struct.unpack(WATERMARK, v)
        if version ~= 3 then
          do -- unreadable(v, 3)
            local record, version = v, 3
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        if blocked == 0 and till ~= 0 and now >= till * 1000 then mark, mark_till, mark_blocked = 0, 0, 0 break end
        mark, mark_till, mark_blocked = seconds, till, blocked
      until true
      if mark == 0 and mark_till == 0 and mark_blocked == 0 then redis.call('HDEL', KEYS[1], all[i]) end -- it holds no more
      was = math.max(was, mark)
    end
  end
  if was >= before then before = math.max(was, before + 1) end
  before = math.max(before, tonumber(redis.call('GET', KEYS[2]) or 0))
end
local till, keep = 0, tonumber(ARGV[3])
if keep > 0 then till = before + keep end
redis.call('HSET', KEYS[1], client, struct.pack(WATERMARK, 3, before, till, blocked))
return { ARGV[1], before }
