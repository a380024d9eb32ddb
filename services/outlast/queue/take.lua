-- Take the next job from the first queue that has one. (BLMOVE knows only one source.)
--
-- KEYS[1]   outlast:hand:<lease>  list  what this worker has taken and not settled
-- KEYS[2..] rq:queue:<name>       list  queues in the order of preference
--
-- Returns {number of the queue from 1, job id}, or nil.

for i = 2, #KEYS do
  local job = redis.call('LMOVE', KEYS[i], KEYS[1], 'LEFT', 'RIGHT')
  if job then
    return {i - 1, job}
  end
end
return false
