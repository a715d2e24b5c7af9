-- Part: the end of a session.

-- end_session ends a session, which may be given by its root, those with the same root, the
-- families begun in them, and what a provider gave for it. The session is denied as long
-- as access tokens live: some came without a refresh token, and a code of it may be on
-- its way to become a family. It returns the ids of the families that lived, and whether
-- anything had not been ended before.
local function end_session(session, denied_till, attempt, person, upstreams)
  local g = read_grants()
  local ids = ended_by(attempt) -- by this very call, when it was first sent
  local had, gone, signed_in = redis.call('PTTL', KEYS[1]), {}, {}
  local root = g.sessions[session] and g.sessions[session].root or session
  for other, v in pairs(g.families) do
    if v:sub(SESSION_AT, SESSION_AT + 7) == root then table.insert(gone, other) end
  end
  for other, s in pairs(g.sessions) do
    if (s.root or other) == root then table.insert(signed_in, other) end
  end
  table.sort(gone)
  local lived = {}
  for _, other in ipairs(gone) do
    local dead = over(g.ends[other])
    if not dead then
      lived[other] = true
      table.insert(ids, other)
    end
  end
  local d = entry(SESSION_ENDED .. root)
  local news = #gone > 0 or #signed_in > 0 or not d or d.attempt == attempt
  forget(g, signed_in)
  forget(g, gone)
  redis.call('HDEL', upstreams, root)
  if had == -1 then settle(g, had, person) end
  for _, other in ipairs(gone) do
    deny(FAMILY_ENDED .. other, denied_till, attempt, lived[other] and LIVED or 0)
  end
  deny(SESSION_ENDED .. root, denied_till, attempt, 0)
  return ids, news
end
