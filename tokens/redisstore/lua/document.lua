-- Returns the metadata of a client.
--
-- KEYS   1 documents (lua/document_record.lua)
-- ARGV   1 number of the call   2 id
-- Result {number of the call, text or ''}

local _, text = read_document(redis.call('HGET', KEYS[1], ARGV[2]))
if not text then own_refusal(KEYS[1]) end
return { ARGV[1], text or '' }
