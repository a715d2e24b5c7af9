-- Part: sessions, one packed record each: version 2, and 16 if the root (8) follows, and 32
-- if the amr does; begun, authenticated (0 for not known), expires, last used, in seconds;
-- the root; the amr with its length (1); the rest is the acr.

local SESSION = '>BI4I4I4I4'

-- read_session reads a session. Its root is nil where that is the session itself.
local function read_session(v)
  if #v < 17 then unreadable(v, 2) end
  local head, begun, auth, expires, used, at = struct.unpack(SESSION, v)
  if head % 16 ~= 2 or head >= 64 then unreadable(v, 2) end
  local root, amr = nil, ''
  if head % 32 >= 16 then
    root, at = v:sub(at, at + 7), at + 8
  end
  if head >= 32 then
    local length = v:byte(at) or 0
    amr, at = v:sub(at + 1, at + length), at + 1 + length
  end
  if at > #v + 1 then unreadable(v, head) end
  return { begun = begun, auth = auth, expires = expires, used = used, root = root, amr = amr, acr = v:sub(at) }
end

local function write_session(s)
  local head = 2 + (s.root and 16 or 0) + (s.amr ~= '' and 32 or 0)
  local amr = s.amr ~= '' and string.char(#s.amr) .. s.amr or ''
  return struct.pack(SESSION, head, s.begun, s.auth, s.expires, s.used) .. (s.root or '') .. amr .. s.acr
end
