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
func (c *Capture) ensureSlot(ctx context.Context, db *pgx.Conn, topicsUsed bool) error {
	status, exists, err := slot.Find(ctx, db, c.cfg.Slot)
	if err != nil {
		return postgresFault("describe slot "+c.cfg.Slot, err)
	}
	if exists {
		if err := c.checkSlot(ctx, db, &status); err != nil {
			return err
		}
		return c.checkPublication(ctx, db)
	}
	_, ran, err := c.positions().read(ctx)
	switch {
	case err != nil:
		return err
	case ran:
		return c.slotGone(ctx, db, nil)
	case topicsUsed:
		return mayNotGoOn(fault.GapDetected, "slot "+c.cfg.Slot, "the topics hold records, but there is neither a position nor the slot",
			"what they hold cannot be told from what a new slot would send", c.createFix())
	}
	if err := c.ensurePublication(ctx, db); err != nil {
		return err
	}
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
	err = slot.CreatePublication(ctx, db, c.cfg.Publication, tableNames(&c.cfg))
	if isState(err, duplicateObject, uniqueViolation) { // another daemon's first start, at the same time
		return c.checkPublication(ctx, db)
	}
	if err != nil {
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
