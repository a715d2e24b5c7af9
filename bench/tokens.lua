-- Sends the tokens of the file in $TOKENS, one a request: as bearer tokens, or as they are in the
-- header $TOKEN_HEADER. Each thread begins
-- at a place of its own; with more tokens than requests none comes twice.
local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local function with(token)
  local header = os.getenv("TOKEN_HEADER") or ""
  if header ~= "" then
    return wrk.format("GET", nil, { [header] = token })
  end
  return wrk.format("GET", nil, { Authorization = "Bearer " .. token })
end

function init()
  list = {}
  for line in io.lines(os.getenv("TOKENS")) do
    list[#list + 1] = line
  end
  at = math.floor(#list / 2) * id
  held = #list == 1 and with(list[1])
end

function request()
  if held then
    return held
  end
  at = at % #list + 1
  return with(list[at])
end
