-- Code generated from lua/document.lua by flatten; DO NOT EDIT.
--
-- Returns the metadata of a client.
--
-- KEYS   1 documents (lua/document_record.lua)
-- ARGV   1 number of the call   2 id
-- Result {number of the call, text or ''}

-- version; until, in seconds; as of when, in milliseconds; 1 for a client that an operator expects; then the text, '' where there is none any more
local DOCUMENT, DOCUMENT_SIZE = '>BI4I6B', 12

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SHIFT = 0 -- tests move the clock
now = now + SHIFT

-- read_document returns as of when a document is, and its text; nothing where there is none that counts.
local read_document_result, _read_document_result repeat -- read_document(redis.call('HGET', KEYS[1], ARGV[2]))
  local v = redis.call('HGET', KEYS[1], ARGV[2])
  if not v then read_document_result, _read_document_result = nil break end
  if v:byte(1) ~= 2 or #v < DOCUMENT_SIZE then
    -- unreadable ends the script, before it has written what it decides about.
    do -- unreadable(v, 2)
      local record, version = v, 2
      error(record:byte(1) ~= version and 'gatehouse: record of a newer version' or 'gatehouse: damaged record')
    end
  end
  local _, till, asked = struct.unpack(DOCUMENT, v)
  if now >= till * 1000 then read_document_result, _read_document_result = nil break end
  read_document_result, _read_document_result = asked, v:sub(DOCUMENT_SIZE + 1)
until true
local _, text = read_document_result, _read_document_result
if not text then
  -- own_refusal ends the script on a replica. That refuses only writes, and a
  -- refusal by what it does not know yet would be final: so this writes nothing.
  do -- own_refusal(KEYS[1])
    local hash = KEYS[1]
    redis.call('HDEL', hash, '')
  end
end
return { ARGV[1], text or '' }
