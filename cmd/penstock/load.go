package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// loadEvery is the pause between two statements of the demo's load.
const loadEvery = 200 * time.Millisecond

// load writes a gentle random load into the seed's tables. It leaves the rows
// of the walk-through alone.
type load struct {
	db     *pgx.Conn
	random *rand.Rand

	inserted, updated, deleted int
}

// run writes until ctx ends, which is no error, and reports after each statement.
func (l *load) run(ctx context.Context, report func(*load)) error {
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.step(ctx); err != nil {
			if errors.Is(err, context.Canceled) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("write the load: %w", err)
		}
		report(l)
	}
}

// step runs one random statement: mostly an insert.
func (l *load) step(ctx context.Context) error {
	count, sql := &l.inserted, `
INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
SELECT id, gen_random_uuid(), (ARRAY['play', 'pause', 'finish', 'click'])[1 + floor(random() * 4)::int], now(),
       CASE WHEN random() < 0.8 THEN floor(random() * 1000 * coalesce(length_seconds, 60))::int END,
       (ARRAY['ios', 'android', 'web-safari'])[1 + floor(random() * 3)::int], jsonb_build_object('load', true)
FROM content ORDER BY random() LIMIT 1`
	switch n := l.random.IntN(10); {
	case n < 2:
		count, sql = &l.updated, `
UPDATE engagement_events SET duration_ms = floor(random() * 60000)::int
WHERE id = (SELECT id FROM engagement_events WHERE raw_payload @> '{"load": true}' ORDER BY random() LIMIT 1)`
	case n < 3:
		count, sql = &l.deleted, `
DELETE FROM engagement_events
WHERE id = (SELECT id FROM engagement_events WHERE raw_payload @> '{"load": true}' ORDER BY random() LIMIT 1)`
	}
	tag, err := l.db.Exec(ctx, sql)
	*count += int(tag.RowsAffected())
	return err
}
