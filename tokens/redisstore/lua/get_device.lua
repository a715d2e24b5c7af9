-- Returns the body of a request that nobody has decided about.
--
-- KEYS   1 the request
-- ARGV   1 number of the call
-- Result {number of the call, body, or false if there is none}

local d = read_device()
return { ARGV[1], d and d.state == PENDING and d.body or false }
