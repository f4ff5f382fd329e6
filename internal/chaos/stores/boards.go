package stores

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
)

// board is a sort of buckets that leaderboards are added up from: Redis keeps each for
// some time after its end.
type board struct {
	name       string
	span, kept time.Duration
}

func boards() []board {
	return []board{{"minute", time.Minute, 2 * time.Hour}, {"hour", time.Hour, 8 * 24 * time.Hour}}
}

// goesSoon is how long before a bucket expires it is not looked at any more.
const goesSoon = time.Minute

// first is the first bucket that Redis must have, counted from the Unix epoch.
func (b board) first(now time.Time) int64 {
	return now.Add(goesSoon-b.kept).Unix()/int64(b.span/time.Second) + 1
}

// scores are the sorted sets of a bucket, by name.
func scores() []string { return []string{"events", "milliseconds", "pct_sum_ppm", "pct_count"} }

// ranked is a content in a bucket and one of its scores.
type ranked struct {
	bucket         int64
	content, score string
}

// ranks asks the source for a board.
func (s *Stores) ranks(ctx context.Context, b board, first int64) (map[ranked]int64, error) {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return nil, fmt.Errorf("connect to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	seconds := int64(b.span / time.Second)
	rows, err := conn.Query(ctx, `SELECT floor(extract(epoch FROM event_ts) / $1::bigint)::bigint AS bucket, content_id::text, count(*),
			coalesce(sum(duration_ms), 0)::bigint, coalesce(sum(ppm), 0)::bigint, count(ppm)
		FROM (`+countedSQL+`) counted WHERE content_id IS NOT NULL AND event_ts >= to_timestamp($2::bigint) GROUP BY 1, 2`, seconds, first*seconds)
	if err != nil {
		return nil, fmt.Errorf("ask the source for the boards of each %s: %w", b.name, err)
	}
	defer rows.Close()
	out := map[ranked]int64{}
	for rows.Next() {
		var at ranked
		var values [4]int64
		if err := rows.Scan(&at.bucket, &at.content, &values[0], &values[1], &values[2], &values[3]); err != nil {
			return nil, fmt.Errorf("ask the source for the boards of each %s: %w", b.name, err)
		}
		for i, score := range scores() {
			at.score = score
			out[at] = values[i]
		}
	}
	return out, rows.Err()
}

// checkBoards holds every sorted set in Redis that has not expired against SQL.
func (c *check) checkBoards(ctx context.Context, s *Stores, prefix string) error {
	for _, b := range boards() {
		first := b.first(time.Now())
		want, err := s.ranks(ctx, b, first)
		if err != nil {
			return err
		}
		c.verdict.Ranks += int64(len(want))
		err = s.sortedSets(ctx, prefix+b.name+":", func(at ranked, got int64) {
			truth, known := want[at]
			switch {
			case at.bucket < first:
			case !known:
				c.verdict.report(Boards, "%s %d: %s has %s %d, SQL has no event", b.name, at.bucket, at.content, at.score, got)
			case got != truth:
				c.verdict.report(Boards, "%s %d: %s has %s %d, SQL has %d", b.name, at.bucket, at.content, at.score, got, truth)
			}
			delete(want, at)
		})
		if err != nil {
			return err
		}
		for at, truth := range want {
			c.verdict.report(Boards, "%s %d: %s has no %s, SQL has %d", b.name, at.bucket, at.content, at.score, truth)
		}
	}
	return nil
}

// sortedSets visits the members of every sorted set whose key has the prefix, behind
// which are its bucket and its score.
func (s *Stores) sortedSets(ctx context.Context, prefix string, visit func(at ranked, score int64)) error {
	for cursor := uint64(0); ; {
		page, err := s.redis.Do(ctx, s.redis.B().Scan().Cursor(cursor).Match(prefix+"*").Count(pageRows).Type("zset").Build()).AsScanEntry()
		if err != nil {
			return fmt.Errorf("scan Redis: %w", err)
		}
		gets := make(rueidis.Commands, 0, len(page.Elements))
		for _, key := range page.Elements {
			gets = append(gets, s.redis.B().Zrange().Key(key).Min("0").Max("-1").Withscores().Build())
		}
		for i, answer := range s.redis.DoMulti(ctx, gets...) {
			members, err := answer.AsZScores()
			if err != nil {
				return fmt.Errorf("read %s: %w", page.Elements[i], err)
			}
			number, score, _ := strings.Cut(strings.TrimPrefix(page.Elements[i], prefix), ":")
			bucket, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return fmt.Errorf("key %s: no bucket: %w", page.Elements[i], err)
			}
			for _, m := range members {
				visit(ranked{bucket, m.Member, score}, int64(m.Score))
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
