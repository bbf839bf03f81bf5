-- ARGV: item, its subject, queues. The item is not listed any more, unless it has a message again.
for place = 3, #ARGV do
    if redis.call('EXISTS', of(ARGV[place], 'of:' .. ARGV[2])) == 1 then return 'done' end
end
redis.call('ZREM', tag .. ':items', ARGV[1])
return 'done'
