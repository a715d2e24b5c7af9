-- Prelude: the end of all that a user has.

-- end_all removes grants and codes and marks everything until now as ended. It
-- returns the marks, and the families that lived, which it keeps in `list` for
-- the same call sent again. They need no entry each: `before` denies all their
-- tokens, and no login until then begins another one.
local function end_all(g, m, deny_for, attempt, codes, list)
  local lived = {}
  for id, f in pairs(g.families) do
    if not dead(f) then table.insert(lived, id) end
  end
  table.sort(lived)
  redis.call('DEL', codes, list)
  forget_all(g)
  -- A token that is dated ahead of the clock is reached as well.
  m.before = math.max(math.floor(now / 1000), m.before, m.issued)
  m.now = math.max(now, m.before * 1000)
  m.till = math.max(m.till, end_of(m.now, deny_for))
  m.attempt = attempt
  write_marks(m)
  for _, id in ipairs(lived) do redis.call('RPUSH', list, id) end
  if #lived > 0 then lengthen(list, -2, m.till * 1000) end
  return m, lived
end
