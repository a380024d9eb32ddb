-- Leave something for the attempt that holds a session, and say who that is.
--
-- KEYS[1]  outlast:{S}:inbox   stream  entries with the fields kind, source, body
-- KEYS[2]  outlast:{S}:head    hash    its field holder: lease of the worker whose attempt is open, "" for none
--
-- ARGV     kind, source, body
--
-- Returns the holder. An entry equal to an unread one is not left again: a deliverer whose reply was lost asks
-- twice. (Ids are Redis's own here: the inbox is no log, and has many writers.)

local inbox, head = KEYS[1], KEYS[2]
local known = false
for _, entry in ipairs(redis.call('XRANGE', inbox, '-', '+')) do
  local fields, seen = entry[2], {}
  for i = 1, #fields, 2 do
    seen[fields[i]] = fields[i + 1]
  end
  known = known or (seen.kind == ARGV[1] and seen.source == ARGV[2] and seen.body == ARGV[3])
end
if not known then
  redis.call('XADD', inbox, '*', 'kind', ARGV[1], 'source', ARGV[2], 'body', ARGV[3])
end
return redis.call('HGET', head, 'holder') or ''
