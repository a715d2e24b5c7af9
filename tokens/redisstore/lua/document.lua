-- Returns the metadata of a client.
--
-- KEYS   1 the document: version; until, in seconds; text
-- ARGV   1 number of the call
-- Result {number of the call, text, or false if there is none}

local v, till, _ = redis.call('GET', KEYS[1])
if v then
  if v:byte(1) ~= 1 or #v < 5 then unreadable(v, 1) end
  _, till = struct.unpack('>BI4', v)
end
if not v or now >= till * 1000 then
  own_refusal_of(KEYS[1])
  return { ARGV[1], false }
end
return { ARGV[1], v:sub(6) }
