-- Answers where all of it stands: the epoch, which is new if Redis has lost its data, the last revision, how many instances
-- are healthy and how many are not, and the revision of each service.
local at = redis.call('HMGET', clock, 'epoch', 'revision')
return {
  tonumber(at[1] or 0),
  tonumber(at[2] or 0) or 0,
  redis.call('ZCARD', healthy),
  redis.call('ZCARD', silent),
  redis.call('HGETALL', services),
}
