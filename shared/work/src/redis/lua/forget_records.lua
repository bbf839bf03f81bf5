-- KEYS[1] is the item's tag in braces. ARGV: the fence below which no write is taken any more, seconds for which that is
-- remembered, and whether the object's record goes as well.
local tag = KEYS[1]
for _, batch in ipairs(redis.call('HKEYS', tag .. ':sizes')) do redis.call('DEL', tag .. ':files:' .. batch) end
redis.call('DEL', tag .. ':sizes', tag .. ':checkpoint')
if ARGV[3] == '1' then redis.call('DEL', tag .. ':object') end
redis.call('DEL', tag .. ':fences')
redis.call('HSET', tag .. ':fences', '*', ARGV[1])
redis.call('EXPIRE', tag .. ':fences', ARGV[2])
return 'done'
