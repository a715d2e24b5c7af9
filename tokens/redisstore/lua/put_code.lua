-- Keeps an authorization code, unless it is there or its session is over. All
-- codes of a user are one hash, so that a sign-out ends them by removing it.
--
-- KEYS   1 what the user holds   2 codes of the user   3 watermarks of the clients (not in a cluster)
-- ARGV   1 number of the call    2 grace ms (not used)   3 code   4 lifetime ms   5 session   6 body
--        7 session that what comes of the code belongs to
-- Result {number of the call, 1 or 0 for kept}

local CODES, id = KEYS[2], ARGV[3]
local v = redis.call('HGET', KEYS[1], ARGV[5])
local session = v and read_session(v)
if not session or session_over(session) or session.auth <= everyone(KEYS[3]) then
  own_refusal(KEYS[1])
  return { ARGV[1], 0 }
end
v = redis.call('HGET', CODES, id)
if v and now < read_code(v).expires then return { ARGV[1], 1 } end
local had = left(CODES)
local code = { expires = now + tonumber(ARGV[4]), taken = 0, attempt = NONE, session = ARGV[7], body = ARGV[6] }
redis.call('HSET', CODES, id, write_code(code))
lengthen(CODES, had, code.expires)
if redis.call('HLEN', CODES) % 16 == 0 then
  local all = redis.call('HGETALL', CODES)
  for i = 1, #all, 2 do
    if now >= read_code(all[i + 1]).expires then redis.call('HDEL', CODES, all[i]) end
  end
end
return { ARGV[1], 1 }
