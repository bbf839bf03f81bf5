-- ARGV: queue, subject, batch of the lease, token, item, batch that is done, how many batches there are.
local queue, subject, own, token, item, batch, batches = unpack(ARGV)
local id = name(subject, own)
local entry = held(queue, id, token)
if not entry then return { 'lost', 0, 0 } end
local marks = of(queue, 'done:' .. item)
local newly = redis.call('SADD', marks, batch)
local done = redis.call('SCARD', marks)
if own ~= PLANNER then
    if newly == 1 and done == tonumber(batches) then
        publish(queue, {
            id = name(subject, PLANNER), subject = subject, batch = PLANNER, institution = entry.institution,
            size = entry.size, big = entry.big, files = entry.files,
        })
    end
    acknowledge(queue, id, token)
end
return { 'done', newly, done }
