-- Part: the end of all that a user has.

-- end_all removes grants and codes and marks everything until now as ended. It
-- returns the marks, and the families that lived, which it keeps in `list` for
-- the same call sent again. They need no entry each: `before` denies all their
-- tokens, and no login until then begins another one.
local function end_all(g, m, deny_for, attempt, person, codes, bodies, list, upstreams)
  local lived = {}
  for id, till in pairs(g.ends) do
    local dead = over(till)
    if not dead then table.insert(lived, id) end
  end
  table.sort(lived)
  redis.call('UNLINK', codes, bodies, list, upstreams)
  forget_all(g, person)
  -- A token that is dated ahead of the clock is reached as well.
  m.before = math.max(math.floor(now / 1000), m.before, m.issued)
  m.now = math.max(now, m.before * 1000)
  local till = end_of(m.now, deny_for)
  m.till = math.max(m.till, till)
  m.attempt = attempt
  write_marks(m)
  for i = 1, #lived, 1000 do
    redis.call('RPUSH', list, unpack(lived, i, math.min(i + 999, #lived)))
  end
  if #lived > 0 then lengthen(list, -2, m.till * 1000) end
  return m, lived
end
