-- Part: the metadata of clients: id -> record, in one hash, with a sorted set of the ids beside it.

-- version; until, in seconds; as of when, in milliseconds; 1 for a client that an operator expects; then the text, '' where there is none any more
local DOCUMENT, DOCUMENT_SIZE = '>BI4I6B', 12

-- read_document returns as of when a document is, and its text; nothing where there is none that counts.
local function read_document(v)
  if not v then return nil end
  if v:byte(1) ~= 2 or #v < DOCUMENT_SIZE then unreadable(v, 2) end
  local _, till, asked = struct.unpack(DOCUMENT, v)
  if now >= till * 1000 then return nil end
  return asked, v:sub(DOCUMENT_SIZE + 1)
end
