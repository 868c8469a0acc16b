-- Counts requests of one client; the first of a window begins it.
-- KEYS[1]: the client's count. ARGV: how many requests, the window's length in milliseconds.
-- Returns how many there were in this window, these included, and how long it lasts yet.

-- Every request waits for this, and all else in Redis with it. A count is not worth a wait for the disk: if Redis crashes, its
-- windows begin anew.
redis.set_repl(redis.REPL_NONE)
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
