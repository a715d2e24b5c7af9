-- Part: sessions, one packed record each: version 2, or 18 if the root (8) follows;
-- begun, authenticated (0 for not known), expires, last used, in seconds; the root; the
-- rest is the acr.

local SESSION = '>BI4I4I4I4'

-- read_session reads a session. Its root is nil where that is the session itself.
local function read_session(v)
  if #v < 17 then unreadable(v, 2) end
  local version, begun, auth, expires, used, at = struct.unpack(SESSION, v)
  local root
  if version == 18 and #v >= 25 then
    root, at = v:sub(18, 25), 26
  elseif version ~= 2 then
    unreadable(v, version == 18 and 18 or 2)
  end
  return { begun = begun, auth = auth, expires = expires, used = used, root = root, acr = v:sub(at) }
end

local function write_session(s)
  return struct.pack(SESSION, s.root and 18 or 2, s.begun, s.auth, s.expires, s.used) .. (s.root or '') .. s.acr
end
