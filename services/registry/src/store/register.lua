-- ARGV: service, id, the instance as JSON, the most instances of a service, services, instances in all; and `keep` if an
-- instance that is there already stays as it is. Answers 1, or what is full.
local service, id, json, keep = ARGV[5], ARGV[6], ARGV[7], ARGV[11]
local per_service, most_services, in_all = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local member = service .. '/' .. id

local record = redis.call('HGET', instances, member)
if not record then
  if redis.call('HEXISTS', services, service) == 0 and redis.call('HLEN', services) >= most_services then return -2 end
  if redis.call('ZLEXCOUNT', index, from(service), to(service)) >= per_service then return -1 end
  if redis.call('ZCARD', index) >= in_all then return -3 end
elseif keep == 'keep' then
  return 1
end

local since, known = string.match(record or '', '^(%d+) (.*)$')
local was_silent = redis.call('ZREM', silent, member) == 1
redis.call('HSET', instances, member, (since or string.format('%d', now)) .. ' ' .. json)
redis.call('ZADD', index, 0, member)
redis.call('ZADD', healthy, now, member)
if was_silent or known ~= json then changed(service) end
return 1
