-- A session has ended: its tokens are refused from now on, and the user's newest session says so if it is this one.
--
-- KEYS: `ended_session:{id}` and `user_session:{user}`. ARGV: for how many seconds tokens may still be around, and when the
-- session began, by which it is told from a newer one.

redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
local ok, session = pcall(cjson.decode, redis.call('GET', KEYS[2]) or '')
if ok and type(session) == 'table' and session.login_time == ARGV[2] then
  session.status = 'ended'
  redis.call('SET', KEYS[2], cjson.encode(session), 'KEEPTTL')
end
