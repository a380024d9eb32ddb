-- Renew a lease and read all of them, in one round trip.
--
-- KEYS[1]  outlast:leases  hash  lease id -> counter
--
-- ARGV[1]  the lease to renew
--
-- Returns {1 if it was renewed, 0 if it is gone; lease, counter, lease, counter, ...}. A lease that is gone is not
-- made again: somebody has taken over what it covered.

local renewed = 0
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
  renewed = 1
end
return {renewed, redis.call('HGETALL', KEYS[1])}
