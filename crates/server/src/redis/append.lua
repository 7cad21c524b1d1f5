-- Appends an event unless its token was already used, and returns the event's id in both cases. Returns
-- 'claim' if the epoch has ended or the stream is gone, and 'forgotten' if the token is too old.
-- KEYS: the stream; the tokens of the publisher.
-- ARGV: the token's count; the epoch; the number of entries to keep; the event; the number of tokens to
-- remember, and for how many seconds; '1' if the token may have expired.
local known = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[1], ARGV[1], 'LIMIT', 0, 1)[1]
if known then return string.match(known, ':(.+)$') end
if ARGV[7] == '1' then return 'forgotten' end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
    local lowest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
    if tonumber(ARGV[1]) < tonumber(lowest) then return 'forgotten' end
end
-- NOMKSTREAM: in a new stream, the numbers of this epoch would start again.
local id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[3], ARGV[2] .. '-*', 'd', ARGV[4])
if not id then return 'claim' end
if type(id) == 'table' and id.err then
    if string.find(id.err, 'equal or smaller', 1, true) then return 'claim' end
    return id
end
local remembered = redis.pcall('ZADD', KEYS[2], ARGV[1], ARGV[1] .. ':' .. id)
if type(remembered) == 'table' and remembered.err then
    -- The event is in the stream: the error must not say that it was not appended.
    return redis.error_reply('INDOUBT ' .. remembered.err)
end
redis.pcall('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[5]))
redis.pcall('EXPIRE', KEYS[2], ARGV[6])
return id
