-- Code generated from lua/alias.lua by flatten; DO NOT EDIT.
--
-- Returns an alias.
--
-- KEYS   1 aliases
-- ARGV   1 number of the call   2 tag
-- Result {number of the call, record or ''}

local v = redis.call('HGET', KEYS[1], ARGV[2])
if not v then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], v or '' }
