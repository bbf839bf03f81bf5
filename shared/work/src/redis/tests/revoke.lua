-- ARGV: queue, time. All leases of the queue are given up.
local queue, now = ARGV[1], time(ARGV[2])
local leased = redis.call('ZRANGE', of(queue, 'leased'), 0, -1)
for _, id in ipairs(leased) do promote(queue, id, now) end
return #leased
