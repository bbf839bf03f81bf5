-- ARGV: act, item, subject, then of the lease its queue, batch and token, then queues. What goes with `marks` are the done
-- marks in these queues; with `records`, those and every message but the lease's own; with `item`, which
-- needs no lease, all of it. Answers the number below which no write to the item's records is taken any more.
local act, item, subject, own_queue, own_batch, token = unpack(ARGV, 1, 6)
local own = nil
if act ~= 'item' then
    own = held(own_queue, name(subject, own_batch), token)
    if not own then return { 'lost', '' } end
end
for place = 7, #ARGV do
    local queue = ARGV[place]
    redis.call('DEL', of(queue, 'done:' .. item))
    if act ~= 'marks' then
        for _, batch in ipairs(redis.call('SMEMBERS', of(queue, 'of:' .. subject))) do
            if not (own and queue == own_queue and batch == own_batch) then
                remove(queue, load(queue, name(subject, batch)))
            end
        end
    end
end
if act == 'marks' then return { 'done', '' } end
local fence = next_fence(time(''))
if own then
    own.fence = fence
    put(own_queue, own)
end
return { 'done', fence }
