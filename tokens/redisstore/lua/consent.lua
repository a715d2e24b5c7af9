-- Part: what a user has agreed to, a hash: client -> record (storage.Consent.MarshalBinary):
-- version; when, used, in seconds; and the text: agreed (12), flags (1), name. Each is over
-- when nobody has used it for KEEP_CONSENT.

local MOST_CONSENTS, KEEP_CONSENT, TOUCH_CONSENT = 100, 31536000, 3600 -- storage.MaxConsents; KeepConsent and TouchConsent in seconds
local CONSENT, CONSENT_SIZE, TEXT_AT = '>BI4I4', 22, 10

-- read_consent returns the consent to a client; nil where there is none, or it is over.
local function read_consent(key, client)
  local v = redis.call('HGET', key, client)
  if not v then return nil end
  if #v < CONSENT_SIZE or v:byte(1) ~= 1 then unreadable(v, 1) end
  local _, when, used = struct.unpack(CONSENT, v)
  if now - used * 1000 >= KEEP_CONSENT * 1000 then return nil end
  return { when = when, used = used, agreed = v:sub(TEXT_AT, TEXT_AT + 11), text = v:sub(TEXT_AT), record = v }
end

-- write_consent writes one that is used now.
local function write_consent(key, client, when, text)
  local had = redis.call('PTTL', key)
  redis.call('HSET', key, client, struct.pack(CONSENT, 1, when, math.floor(now / 1000)) .. text)
  lengthen(key, had, now + KEEP_CONSENT * 1000)
end

-- bound_consents drops what is over, and the least used, but not that to `client`.
local function bound_consents(key, client)
  local all, others = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if all[i] ~= client then
      if #all[i + 1] < CONSENT_SIZE then unreadable(all[i + 1], 1) end
      local used = struct.unpack('>I4', all[i + 1], 6)
      if now - used * 1000 >= KEEP_CONSENT * 1000 then
        redis.call('HDEL', key, all[i])
      else
        table.insert(others, { client = all[i], used = used })
      end
    end
  end
  if #others >= MOST_CONSENTS then
    table.sort(others, function(a, b)
      if a.used ~= b.used then return a.used < b.used end
      return a.client < b.client
    end)
    for i = 1, #others + 1 - MOST_CONSENTS do redis.call('HDEL', key, others[i].client) end
  end
end
