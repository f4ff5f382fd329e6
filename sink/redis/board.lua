-- Sets what one content has in one bucket of the boards, unless that was set at the
-- same or a higher version. KEYS[1] the hash of versions by content, KEYS[2..5] the
-- sorted sets. ARGV[1] the version, 20 decimal digits; ARGV[2] the content; ARGV[3] when
-- the bucket expires, in seconds since the Unix epoch; ARGV[4..7] the scores. Without
-- events, ARGV[4], the content leaves the sets. Returns 1 when it wrote, else 0.
local current = redis.call('HGET', KEYS[1], ARGV[2])
if current and current >= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1])
for i = 2, 5 do
  if ARGV[4] == '0' then
    redis.call('ZREM', KEYS[i], ARGV[2])
  else
    redis.call('ZADD', KEYS[i], ARGV[i + 2], ARGV[2])
  end
  redis.call('EXPIREAT', KEYS[i], ARGV[3])
end
redis.call('EXPIREAT', KEYS[1], ARGV[3])
return 1
