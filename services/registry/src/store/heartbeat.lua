-- ARGV: service, id. Answers 0 if the instance is not known.
local service, id = ARGV[5], ARGV[6]
local member = service .. '/' .. id
if redis.call('HEXISTS', instances, member) == 0 then return 0 end
local was_silent = redis.call('ZREM', silent, member) == 1
redis.call('ZADD', healthy, now, member)
if was_silent then changed(service) end
return 1
