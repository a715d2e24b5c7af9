-- Keeps an authorization code, unless it is there. All codes of a user are one
-- hash, so that a sign-out ends them by removing it.
--
-- KEYS   1 codes of the user
-- ARGV   1 number of the call   2 code   3 lifetime ms   4 session   5 body
-- Result {number of the call}

local id = ARGV[2]
local v = redis.call('HGET', KEYS[1], id)
if v and now < read_code(v).expires then return { ARGV[1] } end
local had = left(KEYS[1])
local code = { expires = now + tonumber(ARGV[3]), taken = 0, attempt = NONE, session = ARGV[4], body = ARGV[5] }
redis.call('HSET', KEYS[1], id, write_code(code))
lengthen(KEYS[1], had, code.expires)
if redis.call('HLEN', KEYS[1]) % 16 == 0 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if now >= read_code(all[i + 1]).expires then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return { ARGV[1] }
