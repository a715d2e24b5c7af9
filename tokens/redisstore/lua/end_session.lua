-- Part: the end of sessions.

-- end_session ends a session, which may be given by its root, those with the same root, the
-- families begun in them, and what a provider gave for it; all sessions of the user for ''. The
-- applications that are noted for it are to be told.
-- A session that was begun after `before` (s, 0 for no limit) goes on, with the families since
-- then: one that an ended session has begun late ends with it. A session of which nothing goes on is
-- denied as long as access tokens live: some came without a refresh token, and a code of it may be
-- on its way to become a family. It returns the ids of the families that lived, whether anything had not
-- been ended before, and how many logouts are to be told, and were dropped.
local function end_session(session, before, denied_till, attempt, person, upstreams, outbox)
  local g = read_grants()
  local ids = ended_by(attempt) -- by this very call, when it was first sent
  local had, gone, signed_in, roots, goes_on = redis.call('PTTL', KEYS[1]), {}, {}, {}, {}
  local root = g.sessions[session] and g.sessions[session].root or session
  for other, s in pairs(g.sessions) do
    local of = s.root or other
    if session ~= '' and of ~= root then
      of = nil
    elseif before ~= 0 and s.begun > before then
      goes_on[of] = math.min(goes_on[of] or s.begun, s.begun)
    else
      table.insert(signed_in, other)
      roots[of] = true
    end
  end
  for other, v in pairs(g.families) do
    local of, created = v:sub(SESSION_AT, SESSION_AT + 7), struct.unpack('>I4', v, CREATED_AT)
    local since = goes_on[of]
    if of == NONE and before ~= 0 then since = before + 1 end
    if session ~= '' and of ~= root then
      of = nil
    elseif not since or created < since then
      table.insert(gone, other)
      if of ~= NONE then roots[of] = true end
    end
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
  local news = #ids > 0 or #gone > 0 or #signed_in > 0
  if session ~= '' and not goes_on[root] then
    roots[root] = true
    local d = entry(SESSION_ENDED .. root)
    news = news or not d or d.attempt == attempt
  end
  forget(g, signed_in)
  forget(g, gone)
  if had == -1 then settle(g, had, person) end
  for _, other in ipairs(gone) do
    deny(FAMILY_ENDED .. other, denied_till, attempt, lived[other] and LIVED or 0)
  end
  local over_now = {}
  for of in pairs(roots) do
    if not goes_on[of] then table.insert(over_now, of) end
  end
  table.sort(over_now)
  for _, of in ipairs(over_now) do
    redis.call('HDEL', upstreams, of)
    deny(SESSION_ENDED .. of, denied_till, attempt, 0)
  end
  local told, dropped = tell(outbox, over_now, '')
  return ids, news, told, dropped
end
