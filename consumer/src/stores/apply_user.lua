-- Applies one event about a user to its profile and its session, both or neither.
--
-- KEYS: the profile `user:{id}`, the session `user_session:{id}`, and the mark `user_mark:{id}`: the newest version and
-- whether the session has begun, which are remembered for longer than profile and session live.
-- ARGV: the change (`created`, `updated` or `deleted`), its version, the profile (or tombstone) and the session that it
-- wants, as JSON, and for how many seconds profile and session, and a tombstone or mark, live. Returns 1 if it was newer.

local change, version = ARGV[1], tonumber(ARGV[2])

local function stored(key)
  local text = redis.call('GET', key)
  local ok, value = pcall(cjson.decode, text or '')
  return ok and type(value) == 'table' and value or nil
end

local function set(key, value, seconds)
  redis.call('SET', key, cjson.encode(value), 'EX', seconds)
end

local profile, mark = stored(KEYS[1]), stored(KEYS[3]) or {}
local known = tonumber(mark.version)
-- What has version 0 was published by hand and gives way to anything.
local newer = not known or version > known or known == 0

if newer then
  mark.version = version
  set(KEYS[3], mark, ARGV[6])
end

if change == 'deleted' then
  if newer then
    set(KEYS[1], cjson.decode(ARGV[3]), ARGV[6])
    redis.call('DEL', KEYS[2])
  end
  return newer and 1 or 0
end

-- A profile that has expired comes back with its own version.
if newer or (not profile and version == known) then
  profile = cjson.decode(ARGV[3])
  set(KEYS[1], profile, ARGV[5])
end

-- A session begins once, at the creation, even if that is heard of after an update. One that is there already is of a login
-- since then: it stays, whether it goes on or has ended.
if change == 'created' and profile and not profile.deleted and not mark.session_begun then
  local session = stored(KEYS[2])
  if session then
    session.name = profile.name
    redis.call('SET', KEYS[2], cjson.encode(session), 'KEEPTTL')
  else
    session = cjson.decode(ARGV[4])
    session.name = profile.name
    set(KEYS[2], session, ARGV[5])
  end
  mark.session_begun = true
  set(KEYS[3], mark, ARGV[6])
elseif newer then
  local session = stored(KEYS[2])
  if session then
    session.name = profile.name
    redis.call('SET', KEYS[2], cjson.encode(session), 'KEEPTTL')
  end
end
return newer and 1 or 0
