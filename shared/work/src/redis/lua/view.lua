-- ARGV: subject, queues. Answers, of each queue, its number in the list, and the fields of each of its messages.
local answer = {}
for place = 2, #ARGV do
    for _, batch in ipairs(redis.call('SMEMBERS', of(ARGV[place], 'of:' .. ARGV[1]))) do
        local entry = load(ARGV[place], name(ARGV[1], batch))
        local row = { tostring(place - 2) }
        for _, field in ipairs(FIELDS) do row[#row + 1] = entry[field] end
        answer[#answer + 1] = row
    end
end
return answer
