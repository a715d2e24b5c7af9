-- Prelude: authorization codes. A spent one is kept until it expires, too.

-- version; expires, taken (0 while it is good), in milliseconds; attempt; session. The body follows
local CODE = '>BI6I6c8c8'

local function read_code(v)
  if #v < 29 or v:byte(1) ~= 1 then unreadable(v, 1) end
  local c, _ = {}
  _, c.expires, c.taken, c.attempt, c.session = struct.unpack(CODE, v)
  c.body = v:sub(30)
  return c
end

local function write_code(c)
  return struct.pack(CODE, 1, c.expires, c.taken, c.attempt, c.session) .. c.body
end
