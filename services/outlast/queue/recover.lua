-- Take over from a worker that is gone (or leave, being that worker): its jobs go back to the front of their queues.
--
-- KEYS[1]  outlast:leases              hash  lease id -> counter
-- KEYS[2]  outlast:hand:<lease>        list  what the worker had taken and not settled
-- KEYS[3]  rq:worker:<name>            hash  RQ's registration of the worker; its field outlast_lease: the lease
-- KEYS[4]  rq:workers                  set   RQ's index of workers
-- and      rq:job:<job>, rq:queue:<origin>, rq:wip:<origin>, outlast:{<session>}:waiters, rq:job:<waiter>, for each
--          job in the hand; rq:workers:<queue>, for each queue of the worker
--
-- ARGV     lease, the counter that was seen unrenewed ("" when leaving), RQ's key prefix
--
-- Returns the ids of the jobs, or nil if the lease was renewed, or taken over, meanwhile. Exactly one caller gets the
-- jobs; who waited for them is woken, and then finds out anew.

local leases, hand, registration = KEYS[1], KEYS[2], KEYS[3]
local lease, seen, prefix = ARGV[1], ARGV[2], ARGV[3]

if seen ~= '' and redis.call('HGET', leases, lease) ~= seen then
  return false
end
redis.call('HDEL', leases, lease)

local queues = redis.call('HGET', registration, 'queues') or ''

local function to_front(job)
  for queue in string.gmatch(queues, '[^,]+') do
    redis.call('ZREM', prefix .. ':wip:' .. queue, job .. ':' .. lease)
  end
  local key = prefix .. ':job:' .. job
  local known = redis.call('HMGET', key, 'origin', 'status', 'outlast_session', 'data')
  if not known[4] or known[2] == 'canceled' then
    return nil
  end
  local queue = known[1] or 'default'
  redis.call('ZREM', prefix .. ':wip:' .. queue, job .. ':' .. lease)
  redis.call('HSET', key, 'status', 'queued')
  redis.call('LPUSH', prefix .. ':queue:' .. queue, job)
  return known[3]
end

local jobs = redis.call('LRANGE', hand, 0, -1)
redis.call('DEL', hand)
for i = #jobs, 1, -1 do
  local session = to_front(jobs[i])
  if session then
    local waiters = 'outlast:{' .. session .. '}:waiters'
    local waiting = redis.call('LRANGE', waiters, 0, -1)
    redis.call('DEL', waiters)
    for j = #waiting, 1, -1 do
      if waiting[j] ~= jobs[i] then
        to_front(waiting[j])
      end
    end
    -- The job itself stays ahead of those that waited for it.
    if #waiting > 0 then
      local queue = redis.call('HGET', prefix .. ':job:' .. jobs[i], 'origin') or 'default'
      redis.call('LREM', prefix .. ':queue:' .. queue, 1, jobs[i])
      redis.call('LPUSH', prefix .. ':queue:' .. queue, jobs[i])
    end
  end
end

if redis.call('HGET', registration, 'outlast_lease') == lease then
  for queue in string.gmatch(queues, '[^,]+') do
    redis.call('SREM', prefix .. ':workers:' .. queue, registration)
  end
  redis.call('SREM', KEYS[4], registration)
  redis.call('DEL', registration, registration .. ':executions')
end
return jobs
