-- ARGV: queue, token, time. Answers the claimed entry, or when something next falls due.
local queue, token, now = ARGV[1], ARGV[2], time(ARGV[3])
local head = redis.call('HMGET', of(queue, 'head'), 'heartbeat', 'virtual_time')
local shift, beat, changed = heartbeat(head[1], now)

local overdue = redis.call('ZRANGEBYSCORE', of(queue, 'due'), '-inf', whole(now), 'LIMIT', 0, PROMOTE_MAX)
local run_out = redis.call(
    'ZRANGEBYSCORE', of(queue, 'leased'), '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, PROMOTE_MAX)
for place = 1, #run_out, 2 do
    -- Leases that only a clock set back would end are left to the next claim.
    if tonumber(run_out[place + 1]) + shift <= now then overdue[#overdue + 1] = run_out[place] end
end
shift_leases(queue, shift)
for _, id in ipairs(overdue) do promote(queue, id, now) end
if changed then redis.call('HSET', of(queue, 'head'), 'heartbeat', whole(beat)) end

local virtual_time = tonumber(head[2] or '0')

-- The first message of one size: first the institution by virtual time, then its oldest.
local function first(big)
    local best = nil
    for _, institution in ipairs(redis.call('SMEMBERS', of(queue, 'institutions:' .. big))) do
        local own = tonumber(redis.call('HGET', of(queue, 'served_next'), institution) or '0')
        local service, number = math.max(own, virtual_time), tonumber(institution)
        if not best or service < best.service or (service == best.service and number < best.number) then
            best = { service = service, number = number, institution = institution }
        end
    end
    if not best then return nil end
    local found = redis.call('ZRANGE', of(queue, 'ready:' .. big .. ':' .. best.institution), 0, 0, 'WITHSCORES')
    best.id, best.seq = found[1], tonumber(found[2])
    return best
end

local function is_before(one, other)
    if one.service ~= other.service then return one.service < other.service end
    if one.number ~= other.number then return one.number < other.number end
    return one.seq < other.seq
end

local small, large = first('0'), first('1')
local chosen = small or large
if small and large then
    local leased, leased_big = redis.call('ZCARD', of(queue, 'leased')), redis.call('SCARD', of(queue, 'leased_big'))
    if (leased == 0 or leased_big * 2 < leased) and is_before(large, small) then chosen = large end
end

if not chosen then
    local next = {}
    for _, part in ipairs({ 'due', 'leased' }) do
        local found = redis.call('ZRANGE', of(queue, part), 0, 0, 'WITHSCORES')
        if found[2] then next[#next + 1] = tonumber(found[2]) - now end
    end
    if #next == 0 then return { 'nothing', '' } end
    return { 'nothing', whole(math.max(math.min(unpack(next)), 0)) }
end

local entry = load(queue, chosen.id)
entry.attempts = whole(tonumber(entry.attempts) + 1)
entry.phase, entry.at, entry.token, entry.again, entry.alone = 'leased', whole(now + LEASE_FOR), token, '0', '0'
entry.fence = next_fence(now)
put(queue, entry)
keep_wakes(queue)
redis.call('HSET', of(queue, 'served_next'), entry.institution, whole(chosen.service + 1))
redis.call('HSET', of(queue, 'head'), 'virtual_time', whole(chosen.service), 'heartbeat', whole(beat))
return {
    'claimed', entry.subject, entry.batch, entry.institution, entry.size, entry.files, entry.attempts,
    entry.vanished, entry.alone_vanished, entry.at, entry.fence,
}
