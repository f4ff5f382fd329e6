package cdc

import (
	"context"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// beat writes a logical message to the log every now and then, on a connection of
// its own, until ctx ends, so that a quiet database, too, moves its slot: Postgres
// notes how far back a slot needs the log only when something is written.
func (c *Capture) beat(ctx context.Context) error {
	if c.cfg.Heartbeat == 0 {
		return nil
	}
	err := c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		for sleep(ctx, c.cfg.Heartbeat) == nil {
			// Not transactional: it is sent as soon as it is in the log, whatever else runs.
			if _, err := db.Exec(ctx, "SELECT pg_logical_emit_message(false, $1, $2)", schema.HeartbeatPrefix, c.cfg.Name); err != nil {
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
