-- Atomically reads everything needed to determine what follows a position. Returns the stream's last id;
-- the first entry's id; the last id before the current epoch; if the position's epoch has ended, the
-- newest entry of that epoch up to the position; and the entries after the position. Returns false if
-- there is no stream.
-- KEYS: the stream; the meta hash.
-- ARGV: the position; the start of its epoch (EPOCH-0); the maximum number of bytes.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local last, first = '', ''
local fields = redis.call('XINFO', 'STREAM', KEYS[1])
for n = 1, #fields, 2 do
    if fields[n] == 'last-generated-id' then last = fields[n + 1] end
    if fields[n] == 'first-entry' and fields[n + 1] then first = fields[n + 1][1] end
end
local previous = redis.call('HGET', KEYS[2], 'previous') or ''
local own = ''
if string.match(ARGV[1], '^%d+') ~= string.match(last, '^%d+') then
    local entry = redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', 1)[1]
    if entry then own = entry[1] end
end
local page, bytes, from, count, limit = {}, 0, '(' .. ARGV[1], 1, tonumber(ARGV[3])
while bytes < limit do
    local part = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', count)
    for _, entry in ipairs(part) do
        -- An entry takes about 40 bytes in addition to its data.
        local size = 40
        for _, field in ipairs(entry[2]) do size = size + #field end
        if #page > 0 and bytes + size > limit then
            bytes = limit
            break
        end
        page[#page + 1] = entry
        bytes = bytes + size
        from = '(' .. entry[1]
    end
    if #part < count then break end
    -- Bounds what is read but not returned to about the requested size.
    count = math.max(1, math.min(count * 4, math.floor((limit - bytes) * #page / math.max(bytes, 1)) + 1))
end
return {last, first, previous, own, page}
