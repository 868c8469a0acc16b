-- ARGV: service. Answers its revision and, in the order of ids: its instances, and the last heartbeat of each, in one list if
-- it is healthy and in the other if it is not.
local service = ARGV[5]
local members = redis.call('ZRANGEBYLEX', index, from(service), to(service))
local revision = tonumber(redis.call('HGET', services, service) or 0)
if #members == 0 then return { revision, {}, {}, {} } end
return {
  revision,
  redis.call('HMGET', instances, unpack(members)),
  redis.call('ZMSCORE', healthy, unpack(members)),
  redis.call('ZMSCORE', silent, unpack(members)),
}
