-- Let go of a job whose outcome is being stored in the same transaction, and wake who waited for it.
--
-- KEYS[1]  outlast:hand:<lease>         list  what this worker has taken and not settled
-- KEYS[2]  rq:wip:<queue>               zset  RQ's registry of started jobs
-- KEYS[3]  outlast:{<session>}:head     hash  its field holder: the lease that holds the open attempt
-- KEYS[4]  outlast:{<session>}:waiters  list  ids of jobs that wait for the session
-- KEYS[5]  rq:job:<job>                 hash  RQ's job
-- and      rq:job:<waiter>, rq:queue:<its origin>, for each waiter
--
-- ARGV     job, lease, RQ's key prefix
--
-- The waiters go to the front of their queues in their order; a waiter with the settled job's own id was the same
-- job enqueued twice, and is settled too.

local job, lease, prefix = ARGV[1], ARGV[2], ARGV[3]
redis.call('LREM', KEYS[1], 1, job)
redis.call('ZREM', KEYS[2], job .. ':' .. lease)
redis.call('HDEL', KEYS[5], 'outlast_attempt', 'outlast_waited', 'outlast_crashes')
if redis.call('HGET', KEYS[3], 'holder') == lease then
  redis.call('HSET', KEYS[3], 'holder', '')
end
local waiters = redis.call('LRANGE', KEYS[4], 0, -1)
for i = #waiters, 1, -1 do
  local key = prefix .. ':job:' .. waiters[i]
  local status = redis.call('HGET', key, 'status')
  if waiters[i] ~= job and status and status ~= 'canceled' then
    redis.call('HSET', key, 'status', 'queued')
    redis.call('LPUSH', prefix .. ':queue:' .. (redis.call('HGET', key, 'origin') or 'default'), waiters[i])
  end
end
redis.call('DEL', KEYS[4])
return 1
