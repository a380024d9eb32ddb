-- Count a crash of a job's process that came within seconds of its start; forget them after a longer life.
--
-- KEYS[1]  rq:job:<job>  hash  its field outlast_crashes: such crashes in a row
--
-- ARGV[1]  1 for a quick crash, 0 for a later one
--
-- Returns the number of quick crashes in a row, over all workers.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
if ARGV[1] == '0' then
  redis.call('HDEL', KEYS[1], 'outlast_crashes')
  return 0
end
return redis.call('HINCRBY', KEYS[1], 'outlast_crashes', 1)
