-- Mark a taken job as started, if it still is in this worker's hand.
--
-- KEYS[1]  outlast:hand:<lease>  list  what this worker has taken and not settled
-- KEYS[2]  rq:job:<job>          hash  RQ's job
-- KEYS[3]  rq:wip:<queue>        zset  RQ's registry of started jobs: <job>:<lease> -> when it counts as abandoned
--
-- ARGV     job, lease, worker's name, session, newest attempt of the session, now as RQ writes it
--
-- Returns 1, or 0 if the job is no longer ours. The score +inf keeps RQ's own clean-up, run by any `rq info`, from
-- failing the job: whether a worker lives is told by its lease alone.

local job, lease = ARGV[1], ARGV[2]
if not redis.call('LPOS', KEYS[1], job) or redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], 'status', 'started', 'worker_name', ARGV[3], 'started_at', ARGV[6],
  'last_heartbeat', ARGV[6], 'outlast_session', ARGV[4], 'outlast_attempt', ARGV[5])
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[3], '+inf', job .. ':' .. lease)
return 1
