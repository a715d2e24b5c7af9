-- Part: the profile of a user, in fields of the hash KEYS[1] (lua/grants.lua).

-- read_profile returns of the value of 'p' the subject, the fingerprint, how many further
-- pieces there are, and whether there is a person's record; nil where there is none.
local function read_profile(v)
  if not v then return nil end
  local head, at = v:byte(1), 2
  if head % 16 ~= 2 or head >= 128 then unreadable(v, 2) end
  local fingerprint, pieces = NONE, 0
  if head % 32 >= 16 then
    fingerprint, at = v:sub(2, 9), 10
  end
  if head % 64 >= 32 then
    pieces, at = v:byte(at), at + 1
  end
  local text = v:sub(at)
  if pieces > 0 then
    local fields = {}
    for i = 1, pieces do fields[i] = 'p' .. string.char(i) end
    local rest = redis.call('HMGET', KEYS[1], unpack(fields))
    for i = 1, pieces do
      if not rest[i] then error('gatehouse: damaged record') end
    end
    text = text .. table.concat(rest)
  end
  return text, fingerprint, pieces, head >= 64
end

-- HELD is the field of the fingerprint that the last login has replaced: the fingerprint (8) and
-- until when (s, 4) it is held.
local HELD = 'p' .. string.char(0)

-- read_held returns that fingerprint, '' for none.
local function read_held(v)
  if not v or now >= struct.unpack('>I4', v, 9) * 1000 then return '' end
  return v:sub(1, 8)
end

-- write_profile replaces the profile, of which there were `had_pieces` further pieces.
local function write_profile(had_pieces, fingerprint, text, has_person)
  local head, fields = 2 + (has_person and 64 or 0), {}
  if fingerprint ~= NONE then
    head, fields[1] = head + 16, fingerprint
  end
  local room, pieces = 62 - #fields * 8, 0
  if #text > room then
    local first, rest = text:sub(1, room - 1), text:sub(room)
    local size = math.max(63, math.ceil(#rest / 100))
    pieces = math.ceil(#rest / size)
    for i = 1, pieces do
      redis.call('HSET', KEYS[1], 'p' .. string.char(i), rest:sub((i - 1) * size + 1, i * size))
    end
    head, text = head + 32, string.char(pieces) .. first
  end
  for i = pieces + 1, had_pieces do
    redis.call('HDEL', KEYS[1], 'p' .. string.char(i))
  end
  redis.call('HSET', KEYS[1], 'p', string.char(head) .. table.concat(fields) .. text)
end
