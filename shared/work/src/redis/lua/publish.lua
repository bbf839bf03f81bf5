-- ARGV: of each message its queue, subject, batch, institution, size, big, files, and its item or nothing.
for first = 1, #ARGV, 8 do
    local queue, subject, batch, institution, size, big, files, item = unpack(ARGV, first, first + 7)
    publish(queue, {
        id = name(subject, batch), subject = subject, batch = batch, institution = institution, size = size,
        big = big, files = files,
    })
    if item ~= '' then redis.call('ZADD', tag .. ':items', item, item) end
end
return 'done'
