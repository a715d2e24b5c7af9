-- Prelude: refresh token families, one packed record each (tokens.Family.MarshalBinary).

local FAMILY = '>Bc8c12c8I4I4I4I4I4I6c8'
local FAMILY_SIZE = 63
local UNANSWERED = string.rep('\255', 8) -- in the place of an attempt that was never answered

local function read_family(v)
  if #v ~= FAMILY_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local f, _ = {}
  _, f.client, f.grant, f.session, f.generation, f.created, f.auth, f.expires, f.idle, f.rotated, f.attempt =
    struct.unpack(FAMILY, v)
  return f
end

local function write_family(f)
  return struct.pack(FAMILY, 1, f.client, f.grant, f.session, f.generation, f.created, f.auth,
    f.expires, f.idle, f.rotated, f.attempt)
end

-- earlier returns the first of two ends in seconds, of which 0 is none.
local function earlier(a, b)
  if a == 0 or b ~= 0 and b < a then return b end
  return a
end

-- limit applies lifetimes that the configuration has shortened (tokens.Family.Limited).
local function limit(f, lifetime, idle_lifetime)
  f.expires = earlier(f.expires, end_of(f.created * 1000, lifetime))
  f.idle = earlier(f.idle, end_of(f.rotated, idle_lifetime))
  return f
end

-- family_end is when a family is dead, in milliseconds, 0 for never.
local function family_end(f)
  return earlier(f.expires, f.idle) * 1000
end

local function dead(f)
  local e = family_end(f)
  return e ~= 0 and now >= e
end

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

-- end_in is family_end of a record.
local function end_in(v)
  if #v ~= FAMILY_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local expires, idle = struct.unpack('>I4I4', v, ENDS_AT)
  return earlier(expires, idle) * 1000
end

-- older orders the records of families by created, rotated and id.
local function older(v, id, w, other)
  local a, b = struct.unpack('>I4', v, CREATED_AT), struct.unpack('>I4', w, CREATED_AT)
  if a == b then
    a, b = struct.unpack('>I6', v, ROTATED_AT), struct.unpack('>I6', w, ROTATED_AT)
  end
  if a ~= b then return a < b end
  return id < other
end
