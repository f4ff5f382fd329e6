package cdc

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// heartbeatPrefix is that of the logical messages a capture writes.
const heartbeatPrefix = "penstock.heartbeat"

// withHeartbeat runs do, and beside it writes a logical message to the log every
// now and then, so that a quiet database, too, moves its slot: Postgres notes how
// far back a slot needs the log only when something is written. If it cannot, do
// is stopped, and the reason is the error.
func (c *Capture) withHeartbeat(ctx context.Context, do func(context.Context) error) error {
	if c.cfg.Heartbeat == 0 {
		return do(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan error, 1)
	go func() {
		err := c.beat(ctx)
		stop()
		stopped <- err
	}()
	err := do(ctx)
	stop()
	if beatErr := <-stopped; err == nil {
		err = beatErr
	}
	return err
}

// beat writes heartbeats, on a connection of its own, until ctx ends.
func (c *Capture) beat(ctx context.Context) error {
	err := c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		for sleep(ctx, c.cfg.Heartbeat) == nil {
			// Not transactional: it is sent as soon as it is in the log, whatever else runs.
			if _, err := db.Exec(ctx, "SELECT pg_logical_emit_message(false, $1, $2)", heartbeatPrefix, c.cfg.Name); err != nil {
				return postgresFault("take a heartbeat", err)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
