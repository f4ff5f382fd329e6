package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
)

// ensureSlot creates publication and slot for a capture that has never run. It
// never creates them for one that has: a new slot would hide the gap.
func (c *Capture) ensureSlot(ctx context.Context, db *pgx.Conn, topicsUsed bool) error {
	status, exists, err := slot.Find(ctx, db, c.cfg.Slot)
	if err != nil {
		return postgresFault("describe slot "+c.cfg.Slot, err)
	}
	if exists {
		if err := c.checkSlot(ctx, db, &status); err != nil {
			return err
		}
		return c.checkPublications(ctx, db)
	}
	kept, err := c.positions().read(ctx)
	switch {
	case err != nil:
		return err
	case kept.found:
		return c.slotGone(ctx, db, nil)
	case topicsUsed:
		return mayNotGoOn(fault.GapDetected, "slot "+c.cfg.Slot, "the topics hold records, but there is neither a position nor the slot",
			"what they hold cannot be told from what a new slot would send", c.createFix())
	}
	if err := c.ensurePublication(ctx, db); err != nil {
		return err
	}
	return c.createSlot(ctx, db)
}

func (c *Capture) createSlot(ctx context.Context, db *pgx.Conn) error {
	start, err := slot.Create(ctx, db, c.cfg.Slot, slot.Options{Failover: c.cfg.Failover})
	if isState(err, duplicateObject) { // another daemon's first start, at the same time
		return nil
	}
	if err != nil {
		return postgresFault("create slot "+c.cfg.Slot, err)
	}
	c.log.Info("slot created", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, start))
	return nil
}

// checkSlot refuses a slot that is lost or not one this capture can read.
func (c *Capture) checkSlot(ctx context.Context, db *pgx.Conn, s *slot.Status) error {
	where, database := "source.slot "+s.Name, db.Config().Database
	bad := func(what, why, fix string) error {
		return &fault.Error{Kind: fault.Usage, Where: where, What: what, Why: why, Fix: fix}
	}
	switch {
	case s.Plugin != slot.Plugin:
		return bad(fmt.Sprintf("the slot has output plugin %q, want %s", s.Plugin, slot.Plugin), "", "name another slot")
	case s.Database != database:
		return bad(fmt.Sprintf("the slot is of database %q, source.dsn names %q", s.Database, database), "",
			"name another slot, or correct source.dsn")
	case invalid(s):
		return c.slotLost(ctx, db, s, nil)
	case s.Temporary:
		return bad("the slot is a temporary one", "it goes with the session that made it",
			"name another slot; penstock run creates one that does not exist")
	case c.cfg.Failover && !s.Failover:
		return bad("source.failover is set, but the slot is not a failover slot", "a promoted standby would not have it",
			fmt.Sprintf("stop its reader, then psql \"dbname=%s replication=database\" -c 'ALTER_REPLICATION_SLOT %s (FAILOVER true)'", database, s.Name))
	}
	return nil
}
