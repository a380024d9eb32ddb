-- Open an attempt: append its opening record(s) if the log still ends where the caller read it.
--
-- KEYS[1]  outlast:{S}:log     stream  the records
-- KEYS[2]  outlast:{S}:head    hash    attempt, length, last, digest, state, holder, prompt, opened, changed, queue
-- KEYS[3]  outlast:sessions    zset    session -> seconds since the epoch at which it was opened
--
-- ARGV[1]  id of the record at which the log is expected to end, "" for an empty log
-- ARGV[2]  that record's digest
-- ARGV[3]  the session's id
-- ARGV[4]  seconds since the epoch
-- ARGV[5]  number of records; for each: id, type, v, at, prev, body
-- then     number of head fields that change; for each: name, value
-- then     number of head fields that only a new session sets; for each: name, value
--
-- Returns {"done"}, {"moved", id at the end} or {"damaged", sentence}. Nothing is changed unless done:
-- every check comes first, and the first write is the one that Redis may refuse for want of memory.

local log, head, index = KEYS[1], KEYS[2], KEYS[3]
local length = redis.call('XLEN', log)
local last = ''
if length > 0 then
  last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1][1]
end

local claimed = redis.call('HMGET', head, 'length', 'last', 'digest')
local least = tonumber(claimed[1] or '0') or 0
if length < least then
  return {'damaged', 'the log has ' .. length .. ' records, but its head says that there were ' .. least}
end

if length > 0 then
  -- Redis itself counts the entries that a stream was ever given; a removed one stays counted.
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' and info[i + 1] > length then
      return {'damaged', 'the log has ' .. length .. ' records, but ' .. info[i + 1] .. ' were appended'}
    end
  end
end

if last ~= ARGV[1] then
  return {'moved', last}
end
if length > 0 and length == least and (claimed[2] ~= last or claimed[3] ~= ARGV[2]) then
  return {'damaged', 'record ' .. last .. ' is not the one that the head names'}
end

local at = 5
for _ = 1, tonumber(ARGV[5]) do
  redis.call('XADD', log, ARGV[at + 1], 'type', ARGV[at + 2], 'v', ARGV[at + 3], 'at', ARGV[at + 4],
    'prev', ARGV[at + 5], 'body', ARGV[at + 6])
  at = at + 6
end
for group = 1, 2 do
  at = at + 1
  for _ = 1, tonumber(ARGV[at]) do
    if group == 1 or length == 0 then
      redis.call('HSET', head, ARGV[at + 1], ARGV[at + 2])
    end
    at = at + 2
  end
end
if length == 0 then
  redis.call('ZADD', index, ARGV[4], ARGV[3])
end
return {'done'}
