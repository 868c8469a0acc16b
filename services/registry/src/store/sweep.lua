-- Every script begins with this: it reads Redis' own clock, so that those of the replicas do not matter, and takes out who
-- has been silent for too long. So nobody ever reads what should be gone, and each change is told once.
--
-- KEYS. A member is `service/id`, so that in the order of `index` the members of a service stand together.
--   services   hash: service -> revision of its last change
--   index      sorted set of all members, each with score 0
--   instances  hash: member -> when it registered, a space, the instance as JSON
--   healthy    sorted set: member -> its last heartbeat
--   silent     sorted set: the same, of those that are no longer healthy
--   clock      hash: epoch, revision, swept_at, grace_until
-- ARGV: three times in milliseconds, and the channel on which changes are told.
local services, index, instances, healthy, silent, clock = unpack(KEYS)
local unhealthy_after, forget_after, away_after = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local channel = ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The members of a service lie between `service/` and `service0`: after `/` comes `0`.
local function from(service) return '[' .. service .. '/' end
local function to(service) return '(' .. service .. '0' end
local function service_of(member) return string.match(member, '^[^/]*') end

-- A revision is a time where it can be, so that revisions grow even if Redis has lost the last one.
local function changed(service)
  local last = tonumber(redis.call('HGET', clock, 'revision') or 0) or 0
  local revision = math.max(now, last + 1)
  redis.call('HSET', clock, 'revision', revision)
  if redis.call('ZLEXCOUNT', index, from(service), to(service)) > 0 then
    redis.call('HSET', services, service, revision)
  else
    redis.call('HDEL', services, service)
  end
  redis.call('PUBLISH', channel, service)
end

local function remove(member)
  redis.call('HDEL', instances, member)
  redis.call('ZREM', healthy, member)
  redis.call('ZREM', silent, member)
  return redis.call('ZREM', index, member) == 1
end

local function sweep()
  local times = redis.call('HMGET', clock, 'swept_at', 'grace_until')
  local swept_at, grace_until = tonumber(times[1] or 0) or 0, tonumber(times[2] or 0) or 0
  if swept_at == 0 then
    redis.call('HSET', clock, 'epoch', now)
  elseif now - swept_at > away_after then
    -- No replica was there to hear heartbeats: whoever is alive gets the time to send one.
    grace_until = now + unhealthy_after
    redis.call('HSET', clock, 'grace_until', grace_until)
  end
  if now - swept_at >= 500 then redis.call('HSET', clock, 'swept_at', now) end
  if now < grace_until then return end

  local touched = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', healthy, '-inf', now - unhealthy_after)) do
    redis.call('ZADD', silent, redis.call('ZSCORE', healthy, member), member)
    redis.call('ZREM', healthy, member)
    touched[service_of(member)] = true
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', silent, '-inf', now - forget_after)) do
    remove(member)
    touched[service_of(member)] = true
  end
  for service in pairs(touched) do changed(service) end
end

sweep()
