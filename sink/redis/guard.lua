-- Replaces one event's hash unless the hash is of the same or a higher version.
-- KEYS[1] the hash. ARGV[1] the version, 20 decimal digits, so that comparing
-- texts compares numbers (a Lua number would lose digits above 2^53). ARGV[2] is
-- empty to set the fields and values that follow, else the life in seconds of
-- the tombstone that a delete leaves. Returns 1 when it wrote, else 0.
local current = redis.call('HGET', KEYS[1], '_v')
if current and current >= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], '_v', ARGV[1], '_d', '1')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], '_v', ARGV[1])
  for first = 3, #ARGV, 1000 do -- Lua's stack takes some 8000 values at once
    redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
  end
end
return 1
