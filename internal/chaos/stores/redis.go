package stores

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// hash is one of Redis' as it is.
type hash struct {
	id     string
	fields map[string]string
}

// hashes visits every hash whose key has the prefix.
func (s *Stores) hashes(ctx context.Context, prefix string, visit func(hash)) error {
	for cursor := uint64(0); ; {
		page, err := s.redis.Do(ctx, s.redis.B().Scan().Cursor(cursor).Match(prefix+"*").Count(pageRows).Build()).AsScanEntry()
		if err != nil {
			return fmt.Errorf("scan Redis: %w", err)
		}
		gets := make(rueidis.Commands, 0, len(page.Elements))
		for _, key := range page.Elements {
			gets = append(gets, s.redis.B().Hgetall().Key(key).Build())
		}
		for i, answer := range s.redis.DoMulti(ctx, gets...) {
			found, err := answer.AsStrMap()
			if err != nil {
				return fmt.Errorf("read %s: %w", page.Elements[i], err)
			}
			visit(hash{strings.TrimPrefix(page.Elements[i], prefix), found})
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// Info is a field of Redis' INFO, empty when it does not answer or has none.
func (s *Stores) Info(ctx context.Context, field string) string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	text, err := s.redis.Do(ctx, s.redis.B().Info().Build()).ToString()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name == field {
			return value
		}
	}
	return ""
}

// Hashes is how many keys Redis has.
func (s *Stores) Hashes(ctx context.Context) (int64, error) {
	n, err := s.redis.Do(ctx, s.redis.B().Dbsize().Build()).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("count the keys of Redis: %w", err)
	}
	return n, nil
}

// Flush removes every key of Redis.
func (s *Stores) Flush(ctx context.Context) error {
	if err := s.redis.Do(ctx, s.redis.B().Flushall().Build()).Error(); err != nil {
		return fmt.Errorf("flush Redis: %w", err)
	}
	return nil
}
