-- Applies one event about a user to its profile and its session, both or neither.
--
-- KEYS: the profile `user:{id}`, the session `user_session:{id}`.
-- ARGV: the change (`created`, `updated` or `deleted`), its version, the profile (or tombstone) and the session that it
-- wants, as JSON, and for how many seconds profile and session, and a tombstone, live. Returns 1 if the profile was changed.

local change, version = ARGV[1], tonumber(ARGV[2])

local function stored(key)
  local text = redis.call('GET', key)
  local ok, value = pcall(cjson.decode, text or '')
  return ok and type(value) == 'table' and value or nil
end

local function set(key, value, seconds)
  redis.call('SET', key, cjson.encode(value), 'EX', seconds)
end

local profile = stored(KEYS[1])
local known = profile and tonumber(profile.version)
-- What has version 0 was published by hand and gives way to anything.
local newer = not known or version > known or known == 0

if change == 'deleted' then
  if newer then
    set(KEYS[1], cjson.decode(ARGV[3]), ARGV[6])
    redis.call('DEL', KEYS[2])
  end
  return newer and 1 or 0
end

-- A session begins once, at the creation, even if that is heard of after an update.
local begun = profile and profile.session_begun
if newer then
  profile = cjson.decode(ARGV[3])
  profile.session_begun = begun
  set(KEYS[1], profile, ARGV[5])
end

if change == 'created' and not profile.deleted and not begun then
  local session = cjson.decode(ARGV[4])
  session.name = profile.name
  set(KEYS[2], session, ARGV[5])
  profile.session_begun = true
  set(KEYS[1], profile, ARGV[5])
elseif newer then
  local session = stored(KEYS[2])
  if session then
    session.name = profile.name
    redis.call('SET', KEYS[2], cjson.encode(session), 'KEEPTTL')
  end
end
return newer and 1 or 0
