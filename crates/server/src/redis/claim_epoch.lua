-- Returns the epoch for appends, and the stream's last id. Begins a new epoch unless the stream exists
-- and the epoch of the meta key began on this run of the server, in its present role.
-- KEYS: the stream; the meta hash. ARGV: the lowest allowed epoch.
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
-- A restart changes the run id. A promotion changes the replication id, even on a server that was the
-- master before.
local run = (string.match(info, 'run_id:(%w+)') or '') .. ':' .. (string.match(info, 'master_replid:(%w+)') or '')
local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch')
local floor = tonumber(ARGV[1])
local exists = redis.call('EXISTS', KEYS[1]) == 1
local last = '0-0'
if exists then
    local fields = redis.call('XINFO', 'STREAM', KEYS[1])
    for n = 1, #fields, 2 do
        if fields[n] == 'last-generated-id' then last = fields[n + 1] end
    end
    if meta[1] == run and meta[2] and tonumber(meta[2]) >= floor then return {meta[2], last} end
end
-- Microseconds, because with milliseconds a log that is deleted right after a claim could get the same
-- epoch again.
local time = redis.call('TIME')
local epoch = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), floor)
if meta[2] then epoch = math.max(epoch, tonumber(meta[2]) + 1) end
epoch = math.max(epoch, tonumber(string.match(last, '^%d+')) + 1)
-- From there on, a Lua number cannot distinguish an epoch from the next one.
if epoch >= 9007199254740992 then return redis.error_reply('ERR an epoch of 2^53 or more') end
local text = string.format('%.0f', epoch)
if not exists then
    -- The end of the previous epoch is no longer known.
    last = ''
    redis.call('XGROUP', 'CREATE', KEYS[1], 'x', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', KEYS[1], 'x')
end
-- From here on, the stream itself refuses appends in older epochs.
redis.call('XSETID', KEYS[1], text .. '-0')
redis.call('HSET', KEYS[2], 'run', run, 'epoch', text, 'previous', last)
return {text, text .. '-0'}
