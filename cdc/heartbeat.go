package cdc

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// heartbeatPrefix is that of the logical messages a capture writes.
const heartbeatPrefix = "penstock.heartbeat"

// heartbeat writes a logical message to the log every now and then, so that a
// quiet database, too, moves its slot: Postgres notes how far back a slot needs
// the log only when something is written. It uses a connection of its own, and
// ends with ctx or the first error, which is the attempt's.
func (c *Capture) heartbeat(ctx context.Context) error {
	if c.cfg.Heartbeat == 0 {
		return nil
	}
	return c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		tick := time.NewTicker(c.cfg.Heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			// Not transactional: it is sent as soon as it is in the log, whatever else runs.
			if _, err := db.Exec(ctx, "SELECT pg_logical_emit_message(false, $1, $2)", heartbeatPrefix, c.cfg.Name); err != nil && ctx.Err() == nil {
				return postgresFault("take a heartbeat", err)
			}
		}
	})
}
