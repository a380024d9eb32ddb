-- Let a taken job wait for the attempt that another live worker holds, or say that there is none.
--
-- KEYS[1]  outlast:hand:<lease>         list  what this worker has taken and not settled
-- KEYS[2]  outlast:{<session>}:head     hash  its field holder: the lease that holds the open attempt
-- KEYS[3]  outlast:leases               hash  lease id -> counter
-- KEYS[4]  outlast:{<session>}:waiters  list  ids of waiting jobs
-- KEYS[5]  rq:job:<job>                 hash  RQ's job
-- KEYS[6]  outlast:hand:<holder>        list  the hand of the holder that the caller read
--
-- ARGV     job, own lease, the holder that the caller read, session
--
-- Returns 0 if nobody else holds an open attempt (go on and open one), else 1: the job has left the hand. If it is
-- the very job that the holder works on (enqueued twice), it needs not wait: the holder settles it.

local holder = redis.call('HGET', KEYS[2], 'holder')
if not holder or holder == '' or holder == ARGV[2] or holder ~= ARGV[3]
    or redis.call('HEXISTS', KEYS[3], holder) == 0 then
  return 0
end
redis.call('LREM', KEYS[1], 1, ARGV[1])
if not redis.call('LPOS', KEYS[6], ARGV[1]) and not redis.call('LPOS', KEYS[4], ARGV[1]) then
  redis.call('RPUSH', KEYS[4], ARGV[1])
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('HSET', KEYS[5], 'status', 'started', 'outlast_session', ARGV[4],
    'outlast_waited', redis.call('HGET', KEYS[2], 'attempt') or '0')
end
return 1
