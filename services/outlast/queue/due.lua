-- Enqueue the scheduled jobs of a queue whose time has come.
--
-- KEYS[1]  rq:scheduled:<queue>  zset  RQ's registry of scheduled jobs: job -> when it is due (seconds)
-- KEYS[2]  rq:queue:<queue>      list  the queue
-- and      rq:job:<job>          hash, for each job that is due
--
-- ARGV     now in seconds, now as RQ writes it, RQ's key prefix
--
-- Returns the ids. A job with a rate limit is left to RQ's own scheduler.

local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1], 'LIMIT', 0, 100)
local enqueued = {}
for _, job in ipairs(due) do
  local key = ARGV[3] .. ':job:' .. job
  local known = redis.call('HMGET', key, 'status', 'enqueue_at_front', 'rate_limit_key')
  if not known[3] or known[3] == '' then
    redis.call('ZREM', KEYS[1], job)
    if known[1] then
      redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[2])
      redis.call(known[2] == '1' and 'LPUSH' or 'RPUSH', KEYS[2], job)
      enqueued[#enqueued + 1] = job
    end
  end
end
return enqueued
