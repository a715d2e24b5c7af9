-- Code generated from lua/end_client.lua by flatten; DO NOT EDIT.
--
-- Sets a client's watermark to the store's time. A second call within one
-- second moves it one second ahead of the clock, since a machine's token in
-- between was dated by that second, but no further than anything is dated.
-- After a failover it is repeated, and then only sets what was set before.
--
-- KEYS   1 watermarks of the clients: client -> record (lua/watermark.lua)   2 the latest date ahead of the clock
-- ARGV   1 number of the call   2 client   3 watermark in seconds, when it is repeated
-- Result {number of the call, watermark in seconds}

local NONE = '\0\0\0\0\0\0\0\0' -- no attempt, no session

local WATERMARK, WATERMARK_SIZE = '>BI4I4', 9 -- version; before; till when it holds, 0 for ever, in seconds

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

local client = ARGV[2]
local before, record = math.floor(now / 1000), redis.call('HGET', KEYS[1], client)
-- read_watermark returns the watermark (s) in a record; 0 for none, or for one that holds no more.
local was repeat -- read_watermark(record)
  local v = record
  if not v then was = 0 break end
  if #v ~= WATERMARK_SIZE then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local version, seconds, till = struct.unpack(WATERMARK, v)
  if version ~= 2 then
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  if till ~= 0 and now >= till * 1000 then was = 0 break end
  was = seconds
until true
if ARGV[3] then
  before = math.max(was, tonumber(ARGV[3]))
else
  -- everyone returns the watermark (s) that holds for all clients (storage.Everyone), from
  -- the hash `key`. That is nil in a cluster: there it lies on another node, and what
  -- the caller knows of it counts.
  local all_ended repeat -- everyone(KEYS[1])
    local key = KEYS[1]
    if not key then all_ended = 0 break end
    local v = redis.call('HGET', key, NONE)
    repeat -- read_watermark(v)
      if not v then all_ended = 0 break end
      if #v ~= WATERMARK_SIZE then
        do -- unreadable(v, 2)
          local record, version = v, 2
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      local version, seconds, till = struct.unpack(WATERMARK, v)
      if version ~= 2 then
        do -- unreadable(v, 2)
          local record, version = v, 2
          error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
        end
      end
      if till ~= 0 and now >= till * 1000 then all_ended = 0 break end
      all_ended = seconds
    until true
  until true
  was = math.max(was, all_ended)
  if client == NONE then -- the others' have dated tokens, too
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local mark repeat -- read_watermark(all[i + 1])
        local v = all[i + 1]
        if not v then mark = 0 break end
        if #v ~= WATERMARK_SIZE then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        local version, seconds, till = struct.unpack(WATERMARK, v)
        if version ~= 2 then
          do -- unreadable(v, 2)
            local record, version = v, 2
            error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
          end
        end
        if till ~= 0 and now >= till * 1000 then mark = 0 break end
        mark = seconds
      until true
      if mark == 0 then redis.call('HDEL', KEYS[1], all[i]) end -- it holds no more
      was = math.max(was, mark)
    end
  end
  if was >= before then before = math.max(was, before + 1) end
  before = math.max(before, tonumber(redis.call('GET', KEYS[2]) or 0))
end
redis.call('HSET', KEYS[1], client, struct.pack(WATERMARK, 2, before, 0))
return { ARGV[1], before }
