-- Part: all that a user holds, in the hash KEYS[1]. A field's length tells what it is:
--   16  family id   -> packed family (lua/family.lua)
--    8  session id  -> packed session (lua/session_record.lua)
--    1  'p'         -> profile: version 2, and 16 if the fingerprint (8) follows, and 32 if the number of
--                      further pieces (1) does, and 64 if there is a person's record (lua/person_record.lua);
--                      first piece of the subject (lua/profile_record.lua)
--    2  'p', number -> further piece of the subject; number 0: the fingerprint that the last login has replaced
-- No value is longer than 63 bytes, but for subjects of many kilobytes: so
-- Redis keeps the hash as a listpack, which takes a third of the memory.
-- ARGV[2] is for how long the profile is kept when all else is over.

local GRACE = tonumber(ARGV[2])

-- read_grants reads everything: the records of families and when those end,
-- sessions by id, the fields of the profile with their values, and the ids of what
-- has expired. There are no more than storage.MaxFamilies and MaxSessions allow.
local function read_grants()
  local all = redis.call('HGETALL', KEYS[1])
  local families, ends, sessions, profile, expired = {}, {}, {}, {}, {}
  for i = 1, #all, 2 do
    local field, v = all[i], all[i + 1]
    if #field == 16 then
      local till = end_in(v)
      families[field], ends[field] = v, till
      local dead = over(till)
      if dead then table.insert(expired, field) end
    elseif #field == 8 then
      local s = read_session(v)
      sessions[field] = s
      local dead = over(s.expires * 1000)
      if dead then table.insert(expired, field) end
    else
      table.insert(profile, field)
      table.insert(profile, v)
    end
  end
  return { families = families, ends = ends, sessions = sessions, profile = profile, expired = expired }
end

-- forget removes fields and what was read of them.
local function forget(g, ids)
  for i = 1, #ids, 1000 do
    redis.call('HDEL', KEYS[1], unpack(ids, i, math.min(i + 999, #ids)))
  end
  for _, gone in ipairs(ids) do
    g.families[gone], g.ends[gone], g.sessions[gone] = nil, nil, nil
  end
end

-- settle makes the hash, which had `had` left, and the person's record, live as long as
-- what is in g.
local function settle(g, had, person)
  local till, endless = now, false
  for _, family_till in pairs(g.ends) do
    endless = endless or family_till == 0
    till = math.max(till, family_till)
  end
  for _, s in pairs(g.sessions) do
    endless = endless or s.expires == 0
    till = math.max(till, s.expires * 1000)
  end
  if endless then
    till = 0
  else
    till = till + GRACE
    if had == -1 then had = -2 end -- it lived for ever, for the sake of something that is gone
  end
  lengthen(KEYS[1], had, till, person)
end

-- forget_all removes everything but the profile and the person's record.
local function forget_all(g, person)
  local had = redis.call('PTTL', KEYS[1])
  redis.call('UNLINK', KEYS[1]) -- what is written anew is compact again
  g.families, g.ends, g.sessions = {}, {}, {}
  if #g.profile > 0 then
    redis.call('HSET', KEYS[1], unpack(g.profile))
    local at = (had >= 0 and now + had or now + GRACE) - SHIFT
    redis.call('PEXPIREAT', KEYS[1], at)
    redis.call('PEXPIREAT', person, at)
  end
end
