-- Part: authorization codes, in two hashes, so that a sign-out ends them by
-- removing both: CODES has a small record of each, spent ones too, and BODIES
-- what those say that were put lately.

-- version; put, in seconds; expires, taken (0 while it is good), in milliseconds; attempt; session; owner
local CODE, CODE_SIZE = '>BI4I6I6c8c8c16', 49

local MOST_CODES, MOST_BODIES = 128, 64 -- storage.MaxCodes, storage.MaxCodeBodies

local function read_code(v)
  if #v ~= CODE_SIZE then unreadable(v, 2) end
  local version, put, expires, taken, attempt, session, owner = struct.unpack(CODE, v)
  if version ~= 2 then unreadable(v, 2) end
  return { put = put, expires = expires, taken = taken, attempt = attempt, session = session, owner = owner }
end

local function write_code(c)
  return struct.pack(CODE, 2, c.put, c.expires, c.taken, c.attempt, c.session, c.owner)
end
