-- Close an attempt: append its last records and give the session up, all or nothing.
--
-- KEYS[1]  outlast:{S}:log     stream  the records
-- KEYS[2]  outlast:{S}:head    hash    attempt, length, last, digest, state, holder, prompt, opened, changed, queue
-- KEYS[3]  outlast:{S}:inbox   stream  entries with the fields kind, source, body
--
-- ARGV[1]  id of the record at which the log is expected to end
-- ARGV[2]  number of inbox kinds that keep the attempt open; then the kinds
-- then     number of records; for each: id, type, v, at, prev, body
-- then     number of head fields; for each: name, value
--
-- Returns {"done"}, {"moved", id at the end} or {"inbox"}. Nothing is changed unless done. Delivering to the
-- inbox reads the head's holder in a script too: so either this closing sees the entry, or the deliverer sees
-- that nobody holds the session.

local log, head, inbox = KEYS[1], KEYS[2], KEYS[3]
local top = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local last = top and top[1] or ''
if last ~= ARGV[1] then
  return {'moved', last}
end

local at = 2
local keeps = {}
for _ = 1, tonumber(ARGV[2]) do
  at = at + 1
  keeps[ARGV[at]] = true
end
for _, entry in ipairs(redis.call('XRANGE', inbox, '-', '+')) do
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'kind' and keeps[fields[i + 1]] then
      return {'inbox'}
    end
  end
end

at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  redis.call('XADD', log, ARGV[at + 1], 'type', ARGV[at + 2], 'v', ARGV[at + 3], 'at', ARGV[at + 4],
    'prev', ARGV[at + 5], 'body', ARGV[at + 6])
  at = at + 6
end
at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  redis.call('HSET', head, ARGV[at + 1], ARGV[at + 2])
  at = at + 2
end
return {'done'}
