-- Sets a client's watermark to the store's time. A second call within one
-- second moves it one second ahead of the clock, since a machine's token in
-- between was dated by that second, but no further than anything is dated.
-- After a failover it is repeated, and then only sets what was set before.
--
-- KEYS   1 watermarks of the clients: client -> record (lua/watermark.lua)   2 the latest date ahead of the clock
-- ARGV   1 number of the call   2 client   3 for how long it holds in seconds, 0 for ever
--        4 watermark in seconds, when it is repeated
-- Result {number of the call, watermark in seconds}

local client = ARGV[2]
local before, record = math.floor(now / 1000), redis.call('HGET', KEYS[1], client)
local was, was_till, blocked = read_watermark(record)
if ARGV[4] then
  before = math.max(was, tonumber(ARGV[4]))
else
  local kind = kind_of(client)
  local newest = begun_after(was * 1000, KEYS[1], client)
  was = newest / 1000
  if client == kind then -- the others' have dated tokens, too
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local mark, mark_till, mark_blocked = read_watermark(all[i + 1])
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
