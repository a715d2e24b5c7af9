-- Part: refresh token families, one packed record each (storage.Family.MarshalBinary).

local FAMILY, FAMILY_SIZE = '>Bc8c12c8I4I4I4I4I4I6c8', 63

local UNANSWERED = '\255\255\255\255\255\255\255\255' -- in the place of an attempt that was never answered

-- read_family returns what a record says, in its order.
local function read_family(v)
  if #v ~= FAMILY_SIZE then unreadable(v, 1) end
  local version, client, grant, session, generation, created, auth, expires, idle, rotated, attempt = struct.unpack(FAMILY, v)
  if version ~= 1 then unreadable(v, 1) end
  return client, grant, session, generation, created, auth, expires, idle, rotated, attempt
end

-- earlier returns the first of two ends in seconds, of which 0 is none.
local function earlier(a, b)
  if a == 0 or b ~= 0 and b < a then return b end
  return a
end

-- limited returns the ends by lifetimes that the configuration may have shortened (storage.Family.Limited).
local function limited(created, rotated, expires, idle, lifetime, idle_lifetime)
  local by_lifetime = end_of(created * 1000, lifetime)
  local by_idle_lifetime = end_of(rotated, idle_lifetime)
  local expires_by = earlier(expires, by_lifetime)
  local idle_by = earlier(idle, by_idle_lifetime)
  return expires_by, idle_by
end

-- over reports whether an end in milliseconds has passed, of which 0 is none.
local function over(till)
  return till ~= 0 and now >= till
end

-- Where things stand in a record: of a user's many families only these are read.
local CLIENT_AT, SESSION_AT, CREATED_AT, ENDS_AT, ROTATED_AT = 2, 22, 34, 42, 50

-- end_in is when the family of a record is dead, in milliseconds, 0 for never.
local function end_in(v)
  if #v ~= FAMILY_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local expires, idle = struct.unpack('>I4I4', v, ENDS_AT)
  local first = earlier(expires, idle)
  return first * 1000
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
