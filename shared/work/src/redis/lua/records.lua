-- Writes records of an item. KEYS[1] is the item's tag in braces. ARGV: who writes, its fence, seconds until all is gone when
-- nobody writes any more; object or nothing; checkpoint or nothing; batch or nothing, from which record on, bytes of the
-- files, and the records.
--
-- A write is refused whose fence is below that of a later claim of the same work, or of a later forgetting.
local tag = KEYS[1]
local writer, fence, lasts, object, checkpoint, batch, from = unpack(ARGV, 1, 7)
local fences = tag .. ':fences'
local known = redis.call('HMGET', fences, writer, '*')
for place = 1, 2 do
    if known[place] and tonumber(fence) < tonumber(known[place]) then return { 'lost', 0 } end
end

local function keep(key) redis.call('EXPIRE', key, lasts) end

local files = tag .. ':files:' .. batch
if batch ~= '' then
    from = tonumber(from)
    local held = redis.call('HLEN', files)
    if from > held then return { 'gap', held } end
    local bytes = 0
    if from > 0 then
        bytes = tonumber(string.match(redis.call('HGET', tag .. ':sizes', batch) or '', ' (%d+)$') or '0')
        for place = from, held - 1 do
            bytes = bytes - cjson.decode(redis.call('HGET', files, place)).size
            redis.call('HDEL', files, place)
        end
    else
        redis.call('DEL', files)
    end
    bytes = bytes + tonumber(ARGV[8])
    for place = 9, #ARGV do redis.call('HSET', files, from + place - 9, ARGV[place]) end
    held = from + math.max(#ARGV - 8, 0)
    if held > 0 then
        redis.call('HSET', tag .. ':sizes', batch, string.format('%d %.0f', held, bytes))
    else
        redis.call('HDEL', tag .. ':sizes', batch)
    end
    keep(files)
    keep(tag .. ':sizes')
end
if object ~= '' then redis.call('SET', tag .. ':object', object, 'EX', lasts) end
if checkpoint ~= '' then redis.call('SET', tag .. ':checkpoint', checkpoint, 'EX', lasts) end
redis.call('HSET', fences, writer, fence)
keep(fences)
return { 'done', 0 }
