-- Give a taken job back to the front of its queue.
--
-- KEYS[1]  outlast:hand:<lease>      list  what this worker has taken and not settled
-- KEYS[2]  rq:job:<job>              hash  RQ's job
-- KEYS[3]  rq:queue:<queue>          list  the job's queue
-- KEYS[4]  rq:wip:<queue>            zset  RQ's registry of started jobs
-- KEYS[5]  outlast:{<session>}:head  hash  its field holder: the lease that holds the open attempt
--
-- ARGV     job, lease
--
-- Returns 1, or 0 if the job is no longer ours. A crashed attempt leaves its holder's name in the head; it is cleared,
-- for the holder's worker lives on and others would wait for it.

local job, lease = ARGV[1], ARGV[2]
if redis.call('LREM', KEYS[1], 1, job) == 0 then
  return 0
end
redis.call('ZREM', KEYS[4], job .. ':' .. lease)
if redis.call('HGET', KEYS[5], 'holder') == lease then
  redis.call('HSET', KEYS[5], 'holder', '')
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], 'status', 'queued')
  redis.call('LPUSH', KEYS[3], job)
end
return 1
