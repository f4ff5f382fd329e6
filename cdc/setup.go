package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
)

// ensureSlot creates publication and slot for a capture that has never run. It
// never creates them for one that has: a new slot would hide the gap.
func (c *Capture) ensureSlot(ctx context.Context, db *pgx.Conn) error {
	status, exists, err := slot.Find(ctx, db, c.cfg.Slot)
	if err != nil {
		return postgresFault("describe slot "+c.cfg.Slot, err)
	}
	if exists {
		if err := checkSlot(&status, db.Config().Database); err != nil {
			return err
		}
		return c.checkPublication(ctx, db)
	}
	_, ran, err := c.positions().read(ctx)
	if err != nil {
		return err
	}
	if ran {
		return &fault.Error{
			Kind: fault.PositionLost, Where: "slot " + c.cfg.Slot, What: "the slot is gone, and the capture has run before",
			Why: "the changes since its position are no longer kept for it",
			Fix: "penstock slot create " + c.cfg.Slot + ", then penstock run: it names the gap and the flag that accepts it",
		}
	}
	if err := c.ensurePublication(ctx, db); err != nil {
		return err
	}
	start, err := slot.Create(ctx, db, c.cfg.Slot)
	if err != nil {
		return postgresFault("create slot "+c.cfg.Slot, err)
	}
	c.log.Info("slot created", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, start))
	return nil
}

// checkSlot refuses a slot that is lost or not one this capture can read.
func checkSlot(s *slot.Status, database string) error {
	where := "source.slot " + s.Name
	switch {
	case s.WALStatus == slot.WALLost || s.InvalidationReason != "":
		return &fault.Error{
			Kind: fault.PositionLost, Where: where,
			What: fmt.Sprintf("the slot is lost (wal_status %s, %s)", s.WALStatus, s.InvalidationReason),
			Why:  "the server no longer holds the log that comes next",
			Fix:  recreate(s.Name),
		}
	case s.Plugin != slot.Plugin:
		return &fault.Error{
			Kind: fault.Usage, Where: where, What: fmt.Sprintf("the slot has output plugin %q, want %s", s.Plugin, slot.Plugin),
			Fix: "name another slot",
		}
	case s.Database != database:
		return &fault.Error{
			Kind: fault.Usage, Where: where,
			What: fmt.Sprintf("the slot is of database %q, source.dsn names %q", s.Database, database),
			Fix:  "name another slot, or correct source.dsn",
		}
	}
	return nil
}

// recreate is the way on for a slot that cannot be read any more.
func recreate(slot string) string {
	return fmt.Sprintf("penstock slot drop %[1]s, penstock slot create %[1]s, then penstock run: it names the gap and the flag that accepts it", slot)
}

// ensurePublication creates the publication of a capture's first start, unless
// somebody has.
func (c *Capture) ensurePublication(ctx context.Context, db *pgx.Conn) error {
	_, exists, err := slot.FindPublication(ctx, db, c.cfg.Publication)
	if err != nil {
		return postgresFault("describe publication "+c.cfg.Publication, err)
	}
	if exists {
		return c.checkPublication(ctx, db)
	}
	if err := slot.CreatePublication(ctx, db, c.cfg.Publication, tableNames(&c.cfg)); err != nil {
		return postgresFault("create publication "+c.cfg.Publication, err)
	}
	c.log.Info("publication created", zap.String(keyPublication, c.cfg.Publication))
	return nil
}

// checkPublication refuses a publication that is missing, leaves out a captured
// table or an operation, or sends a table that nobody asked for.
func (c *Capture) checkPublication(ctx context.Context, db *pgx.Conn) error {
	p, exists, err := slot.FindPublication(ctx, db, c.cfg.Publication)
	if err != nil {
		return postgresFault("describe publication "+c.cfg.Publication, err)
	}
	if !exists {
		return &fault.Error{
			Kind: fault.Usage, Where: "source.publication " + c.cfg.Publication,
			What: "the publication does not exist, but slot " + c.cfg.Slot + " does",
			Why:  "the slot cannot tell which tables to send",
			Fix:  slot.PublicationSQL(c.cfg.Publication, tableNames(&c.cfg)),
		}
	}
	return publicationProblems(&c.cfg, &p)
}

func publicationProblems(cfg *Config, p *slot.Publication) error {
	var problems []error
	bad := func(what, fix string) {
		problems = append(problems, &fault.Error{
			Kind: fault.Usage, Where: "source.publication " + p.Name, What: what, Fix: fix,
		})
	}
	name, wanted := pgx.Identifier{p.Name}.Sanitize(), tableNames(cfg)
	for _, t := range wanted {
		if !slices.Contains(p.Tables, t) {
			bad(fmt.Sprintf("does not publish table %s", t), fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s;", name, quoteTable(t)))
		}
	}
	for _, t := range p.Tables {
		if !slices.Contains(wanted, t) {
			bad(fmt.Sprintf("also publishes table %s, which source.tables does not list", t),
				fmt.Sprintf("list it, or ALTER PUBLICATION %s DROP TABLE %s;", name, quoteTable(t)))
		}
	}
	if !p.Insert || !p.Update || !p.Delete || !p.Truncate {
		bad("leaves out some operations", fmt.Sprintf("ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate');", name))
	}
	return errors.Join(problems...)
}
