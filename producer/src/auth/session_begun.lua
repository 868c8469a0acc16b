-- A session has begun or goes on, unless it has ended before this was heard of.
--
-- KEYS: `ended_session:{id}` and `user_session:{user}`. ARGV: the session as JSON, and for how many seconds it is known.

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
end
