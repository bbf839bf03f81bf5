-- ARGV: what is asked, time, and then pairs of queue and subject (`known`), a subject and queues (`leased`), or queues (`backlog`).
local asked, now = ARGV[1], ARGV[2]
local answer = {}
if asked == 'known' then
    for place = 3, #ARGV, 2 do
        answer[#answer + 1] = redis.call('EXISTS', of(ARGV[place], 'of:' .. ARGV[place + 1]))
    end
elseif asked == 'leased' then
    now = time(now)
    for place = 4, #ARGV do
        local queue, subject = ARGV[place], ARGV[3]
        for _, batch in ipairs(redis.call('SMEMBERS', of(queue, 'of:' .. subject))) do
            local deadline = redis.call('ZSCORE', of(queue, 'leased'), name(subject, batch))
            if deadline and tonumber(deadline) > now then return { 1 } end
        end
    end
    return { 0 }
else
    for place = 3, #ARGV do
        local queue = ARGV[place]
        local head = redis.call('HMGET', of(queue, 'head'), 'ready', 'bytes', 'files')
        answer[#answer + 1] = head[1] or '0'
        answer[#answer + 1] = whole(redis.call('ZCARD', of(queue, 'leased')))
        answer[#answer + 1] = whole(redis.call('ZCARD', of(queue, 'due')))
        answer[#answer + 1] = head[2] or '0'
        answer[#answer + 1] = head[3] or '0'
    end
end
return answer
