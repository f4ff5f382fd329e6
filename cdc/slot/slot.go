package slot

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"penstock/internal/fault"
	"penstock/schema"
)

// Plugin is the output plugin of the slots that Create makes.
const Plugin = "pgoutput"

// validName is what Postgres takes for a slot's name, less the empty one
// (ReplicationSlotValidateName; NAMEDATALEN is 64 with the terminator).
var validName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// Options are what a new slot may be beyond a plain one.
type Options struct {
	// Failover has the slot kept in step on the standbys that synchronise slots, so
	// that its reader can go on from a promoted one. From Postgres 17 on.
	Failover bool
}

// Create makes a persistent logical slot in the database of db. It returns the
// consistent point: the slot sends every transaction that commits after it and
// none before. Creating waits until the transactions that run now have ended, so
// ctx should carry a deadline. An existing slot is refused, never reused: its
// position may be anybody's.
func Create(ctx context.Context, db DB, name string, opts Options) (schema.LSN, error) {
	if !validName.MatchString(name) {
		return 0, &fault.Error{
			Kind:  fault.Usage,
			Where: place(name),
			What:  "not a valid slot name",
			Why:   "Postgres takes 1 to 63 lower-case letters, digits and underscores",
			Fix:   "choose a name such as penstock_orders",
		}
	}
	var point string
	sql := "SELECT lsn::text FROM pg_create_logical_replication_slot($1, $2)"
	if opts.Failover {
		sql = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, $2, failover => true)"
	}
	err := db.QueryRow(ctx, sql, name, Plugin).Scan(&point)
	switch {
	case opts.Failover && isState(err, undefinedFunction):
		return 0, noFailover(name, err)
	case isState(err, duplicateObject):
		return 0, existing(name, err)
	case isState(err, notSupported):
		return 0, notOnStandby(name, err)
	case errors.Is(err, context.DeadlineExceeded):
		return 0, stillWaiting(name, err)
	case err != nil:
		return 0, explain(ctx, db, err, place(name))
	}
	return schema.ParseLSN(point)
}

// Drop removes a slot, and with it the server's memory of what its consumer has
// had. A slot that somebody streams from is refused.
func Drop(ctx context.Context, db DB, name string) error {
	status, found, err := Find(ctx, db, name)
	switch {
	case err != nil:
		return err
	case !found:
		return missing(ctx, db, name, nil)
	case status.Active:
		return inUse(name, status.PID, nil)
	}
	_, err = db.Exec(ctx, "SELECT pg_drop_replication_slot($1)", name)
	switch {
	case err == nil:
		return nil
	case isState(err, undefinedObject): // somebody dropped it after Find
		return missing(ctx, db, name, err)
	case isState(err, objectInUse): // somebody took it after Find
		return inUse(name, 0, err)
	}
	return explain(ctx, db, err, place(name))
}

// place is how faults name a slot.
func place(name string) string { return fmt.Sprintf("slot %q", name) }
