-- What every script of the queue begins with. KEYS[1] is the installation's tag in braces: all keys of its
-- queues begin with it, so they are in one slot. Times are microseconds since 1970, and exact: they stay
-- below 2^53.
local tag = KEYS[1]
local GAP_MIN, HEARTBEAT_EVERY, LEASE_FOR = 30000000, 5000000, 60000000
local VANISHED_DELAY_MAX, VANISHED_DOUBLINGS_MAX = 300000000, 9
local PROMOTE_MAX, WAKES_MAX = 200, 1000
local PLANNER = '-1'
local FIELDS = {
    'subject', 'batch', 'institution', 'size', 'big', 'files', 'attempts', 'vanished', 'alone_vanished', 'seq',
    'phase', 'at', 'token', 'again', 'alone', 'fence',
}

local function whole(number) return string.format('%.0f', number + 0) end
local function of(queue, part) return tag .. ':' .. queue .. ':' .. part end
local function name(subject, batch) return subject .. '#' .. batch end

-- The server's time, unless a test gives one.
local function time(given)
    if given ~= '' then return tonumber(given) end
    local now = redis.call('TIME')
    return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- The number of a claim, or of a forgetting: above all before it, also above those that a server which has gone
-- back in time does not know any more, as its clock has not.
local function next_fence(now)
    local last = tonumber(redis.call('GET', tag .. ':fence') or '0')
    local fence = whole(math.max(last + 1, now))
    redis.call('SET', tag .. ':fence', fence)
    return fence
end

local function load(queue, id)
    local values = redis.call('HMGET', of(queue, 'message:' .. id), unpack(FIELDS))
    if not values[1] then return nil end
    local entry = { id = id }
    for place, field in ipairs(FIELDS) do entry[field] = values[place] end
    entry.was = { phase = entry.phase }
    return entry
end

local function ready_key(queue, entry)
    return of(queue, 'ready:' .. entry.big .. ':' .. entry.institution)
end

local function take_out(queue, entry)
    local phase = entry.was and entry.was.phase
    if phase == 'ready' then
        redis.call('ZREM', ready_key(queue, entry), entry.id)
        redis.call('HINCRBY', of(queue, 'head'), 'ready', -1)
        if redis.call('EXISTS', ready_key(queue, entry)) == 0 then
            redis.call('SREM', of(queue, 'institutions:' .. entry.big), entry.institution)
        end
    elseif phase == 'leased' then
        redis.call('ZREM', of(queue, 'leased'), entry.id)
        redis.call('SREM', of(queue, 'leased_big'), entry.id)
    elseif phase == 'due' then
        redis.call('ZREM', of(queue, 'due'), entry.id)
    end
end

-- One waiter looks for each message that becomes ready.
local function wake(queue)
    redis.call('LPUSH', of(queue, 'wake'), '1')
    redis.call('LTRIM', of(queue, 'wake'), 0, WAKES_MAX - 1)
end

-- As many as there are ready messages: a claim that was not woken leaves one too many, and one that was takes
-- none that another waits for.
local function keep_wakes(queue)
    local ready = tonumber(redis.call('HGET', of(queue, 'head'), 'ready'))
    if ready > 0 then
        redis.call('LTRIM', of(queue, 'wake'), 0, ready - 1)
    else
        redis.call('DEL', of(queue, 'wake'))
    end
end

local function put_in(queue, entry)
    if entry.phase == 'ready' then
        redis.call('ZADD', ready_key(queue, entry), entry.seq, entry.id)
        redis.call('HINCRBY', of(queue, 'head'), 'ready', 1)
        redis.call('SADD', of(queue, 'institutions:' .. entry.big), entry.institution)
        wake(queue)
    elseif entry.phase == 'leased' then
        redis.call('ZADD', of(queue, 'leased'), entry.at, entry.id)
        if entry.big == '1' then redis.call('SADD', of(queue, 'leased_big'), entry.id) end
    else
        redis.call('ZADD', of(queue, 'due'), entry.at, entry.id)
        -- Who waits looks how long it may wait now.
        wake(queue)
    end
end

local function count(queue, entry, sign)
    redis.call('HINCRBY', of(queue, 'head'), 'bytes', whole(sign * tonumber(entry.size)))
    redis.call('HINCRBY', of(queue, 'head'), 'files', whole(sign * tonumber(entry.files)))
end

local function put(queue, entry)
    if not entry.was then
        redis.call('SADD', of(queue, 'of:' .. entry.subject), entry.batch)
        count(queue, entry, 1)
    end
    take_out(queue, entry)
    put_in(queue, entry)
    entry.was = { phase = entry.phase }
    local row = {}
    for _, field in ipairs(FIELDS) do
        row[#row + 1] = field
        row[#row + 1] = entry[field]
    end
    redis.call('HSET', of(queue, 'message:' .. entry.id), unpack(row))
end

local function remove(queue, entry)
    take_out(queue, entry)
    count(queue, entry, -1)
    redis.call('SREM', of(queue, 'of:' .. entry.subject), entry.batch)
    redis.call('DEL', of(queue, 'message:' .. entry.id))
end

-- Behind all others of its institution.
local function append(queue, entry)
    local head = of(queue, 'head')
    entry.seq = whole(redis.call('HINCRBY', head, 'next_seq', 1) - 1)
    entry.attempts, entry.vanished, entry.alone_vanished = '0', '0', '0'
    entry.phase, entry.at, entry.token, entry.again, entry.alone, entry.fence = 'ready', '0', '', '0', '0', '0'
    redis.call('HSETNX', of(queue, 'served_next'), entry.institution, '0')
    put(queue, entry)
end

local function publish(queue, message)
    local known = load(queue, message.id)
    if not known then
        append(queue, message)
    elseif known.phase == 'leased' and known.again == '0' then
        known.again = '1'
        put(queue, known)
    end
end

-- The entry that the lease is on, if it is still on it.
local function held(queue, id, token)
    local entry = load(queue, id)
    if entry and entry.phase == 'leased' and entry.token == token then return entry end
    return nil
end

-- By how much all leases move because nobody could renew, and the heartbeat to write.
local function heartbeat(last, now)
    if not last then return 0, now, true end
    local gap = now - tonumber(last)
    local shift = 0
    if math.abs(gap) > GAP_MIN then shift = gap end
    if math.abs(gap) >= HEARTBEAT_EVERY then return shift, now, true end
    return shift, tonumber(last), false
end

local function shift_leases(queue, shift)
    if shift == 0 then return end
    local leased = of(queue, 'leased')
    for _, id in ipairs(redis.call('ZRANGE', leased, 0, -1)) do
        redis.call('ZINCRBY', leased, whole(shift), id)
        redis.call('HINCRBY', of(queue, 'message:' .. id), 'at', whole(shift))
    end
end

-- What is due becomes ready; a lease whose holder has vanished becomes due.
local function promote(queue, id, now)
    local entry = load(queue, id)
    if entry.phase == 'leased' then
        local doublings = math.min(tonumber(entry.vanished), VANISHED_DOUBLINGS_MAX)
        local delay = math.min(1000000 * 2 ^ doublings, VANISHED_DELAY_MAX)
        entry.attempts = whole(math.max(tonumber(entry.attempts) - 1, 0))
        entry.vanished = whole(tonumber(entry.vanished) + 1)
        if entry.alone == '1' then entry.alone_vanished = whole(tonumber(entry.alone_vanished) + 1) end
        entry.phase, entry.at = 'due', whole(now + delay)
    else
        entry.phase, entry.at = 'ready', '0'
    end
    entry.token, entry.again, entry.alone = '', '0', '0'
    put(queue, entry)
end

local function acknowledge(queue, id, token)
    local entry = held(queue, id, token)
    if entry then
        if entry.again == '1' then append(queue, entry) else remove(queue, entry) end
        return 'done'
    end
    if redis.call('EXISTS', of(queue, 'message:' .. id)) == 1 then return 'lost' end
    return 'done'
end
