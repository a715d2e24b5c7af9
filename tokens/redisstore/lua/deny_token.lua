-- Denies one access token.
--
-- KEYS   1 what the user holds (not used)   2 what is denied of the user
-- ARGV   1 number of the call   2 token   3 until ms
-- Result {number of the call}

local till = math.ceil(tonumber(ARGV[3]) / 1000)
if now < till * 1000 then -- else it is dead by itself
  deny(TOKEN .. ARGV[2], till, NONE, 0)
end
return { ARGV[1] }
