-- Append one record, if the log ends where its writer left it.
--
-- KEYS[1]  outlast:{S}:log     stream  the records
--
-- ARGV[1]  id of the record at which the log is expected to end
-- then     of the record: id, type, v, at, prev, body
--
-- Returns {"done"} or {"moved", id at the end, "" for no log}. Redis itself would refuse an id that is not greater
-- than the last one; what it would accept is one that leaves a gap, where records are gone that it had acknowledged.

local log = KEYS[1]
local top = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local last = top and top[1] or ''
if last ~= ARGV[1] then
  return {'moved', last}
end
redis.call('XADD', log, ARGV[2], 'type', ARGV[3], 'v', ARGV[4], 'at', ARGV[5], 'prev', ARGV[6], 'body', ARGV[7])
return {'done'}
