-- ARGV: act, queue, subject, batch, token, time, and of a release the delay in microseconds.
local act, queue, subject, batch, token = unpack(ARGV, 1, 5)
local now = time(ARGV[6])
local id = name(subject, batch)
if act == 'acknowledge' then return { acknowledge(queue, id, token), '' } end

local entry = held(queue, id, token)
if not entry then return { 'lost', '' } end
if act == 'renew' then
    local shift, beat, changed = heartbeat(redis.call('HGET', of(queue, 'head'), 'heartbeat'), now)
    shift_leases(queue, shift)
    entry.at = whole(now + LEASE_FOR)
    put(queue, entry)
    if changed then redis.call('HSET', of(queue, 'head'), 'heartbeat', whole(beat)) end
elseif act == 'run_alone' then
    entry.alone = '1'
    put(queue, entry)
elseif act == 'progress' then
    entry.attempts, entry.vanished, entry.alone_vanished = '0', '0', '0'
    put(queue, entry)
elseif act ~= 'look' then
    if act ~= 'retry' then entry.attempts = whole(math.max(tonumber(entry.attempts) - 1, 0)) end
    if act == 'now' then
        entry.phase, entry.at = 'ready', '0'
    else
        entry.phase, entry.at = 'due', whole(now + tonumber(ARGV[7]))
    end
    entry.token, entry.again, entry.alone = '', '0', '0'
    put(queue, entry)
end
return { 'done', entry.fence }
