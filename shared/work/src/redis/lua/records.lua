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
        local replaced = {}
        for place = from, held - 1 do replaced[#replaced + 1] = place end
        if #replaced > 0 then
            for _, record in ipairs(redis.call('HMGET', files, unpack(replaced))) do
                bytes = bytes - cjson.decode(record).size
            end
            redis.call('HDEL', files, unpack(replaced))
        end
    else
        redis.call('DEL', files)
    end
    bytes = bytes + tonumber(ARGV[8])
    -- In one command: 500 at most, and the stack of a script takes some thousands.
    local row = {}
    for place = 9, #ARGV do
        row[#row + 1] = from + place - 9
        row[#row + 1] = ARGV[place]
    end
    if #row > 0 then redis.call('HSET', files, unpack(row)) end
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
