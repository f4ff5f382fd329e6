package slot

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// WALStatus says whether the log that a slot needs is still there
// (pg_replication_slots.wal_status).
type WALStatus string

// The states, from good to lost. A slot that never reserved any log has none.
const (
	WALReserved   WALStatus = "reserved"   // within max_wal_size
	WALExtended   WALStatus = "extended"   // beyond max_wal_size, kept for a slot or wal_keep_size
	WALUnreserved WALStatus = "unreserved" // to be removed at the next checkpoint
	WALLost       WALStatus = "lost"       // removed: the slot is of no use any more
)

// Status is one replication slot of the server, whoever made it, as it was when
// asked. Sizes are bytes of write-ahead log.
type Status struct {
	Name     string `json:"name"`
	Plugin   string `json:"plugin,omitempty"`   // empty for a physical slot
	Database string `json:"database,omitempty"` // empty for a physical slot
	Active   bool   `json:"active"`             // also while it is being created
	PID      int32  `json:"pid,omitempty"`      // of the server process that streams from the slot or creates it

	Temporary bool `json:"temporary,omitempty"` // goes with the session that made it; on a standby also: not yet in step
	Failover  bool `json:"failover,omitempty"`  // is kept in step on standbys; from Postgres 17 on
	Synced    bool `json:"synced,omitempty"`    // is or was kept in step with a primary's; from Postgres 17 on

	WALStatus         WALStatus  `json:"wal_status,omitempty"`
	RestartLSN        schema.LSN `json:"restart_lsn"`         // oldest log that the slot keeps; zero when it keeps none
	ConfirmedFlushLSN schema.LSN `json:"confirmed_flush_lsn"` // zero for a physical slot
	RetainedBytes     int64      `json:"retained_bytes"`      // from RestartLSN to the log's end
	BehindBytes       int64      `json:"behind_bytes"`        // from ConfirmedFlushLSN to the log's end

	// SafeBytes is how much may yet be written before the slot can be lost. It is
	// nil when there is no such limit (max_slot_wal_keep_size is -1: the disk is
	// the limit) and when the slot is lost already.
	SafeBytes *int64 `json:"safe_bytes"`

	// InactiveSince and InvalidationReason are known from Postgres 17 on.
	InactiveSince      time.Time `json:"inactive_since,omitzero"`
	InvalidationReason string    `json:"invalidation_reason,omitempty"`
}

// List returns all slots of the server in the order of their names. On a standby
// the log's end is what has been replayed.
func List(ctx context.Context, db DB) ([]Status, error) {
	all, err := statuses(ctx, db, selectStatus+" ORDER BY slot_name")
	if err != nil {
		return nil, explain(ctx, db, err, "replication slots")
	}
	return all, nil
}

// Find returns the named slot and whether there is one.
func Find(ctx context.Context, db DB, name string) (Status, bool, error) {
	found, err := statuses(ctx, db, selectStatus+" WHERE slot_name = $1", name)
	if err != nil {
		return Status{}, false, explain(ctx, db, err, place(name))
	}
	if len(found) == 0 {
		return Status{}, false, nil
	}
	return found[0], true, nil
}

// selectStatus reads the newer columns through to_jsonb, which gives null where the
// server (14 to 16) does not have them.
const selectStatus = `
SELECT slot_name, coalesce(plugin, ''), coalesce(database, ''), active, coalesce(active_pid, 0),
       coalesce(wal_status, ''), coalesce(restart_lsn, '0/0')::text, coalesce(confirmed_flush_lsn, '0/0')::text,
       coalesce(greatest(log_end - restart_lsn, 0), 0)::bigint,
       coalesce(greatest(log_end - confirmed_flush_lsn, 0), 0)::bigint,
       safe_wal_size,
       (to_jsonb(s) ->> 'inactive_since')::timestamptz,
       coalesce(to_jsonb(s) ->> 'invalidation_reason', ''),
       temporary, coalesce((to_jsonb(s) ->> 'failover')::boolean, false), coalesce((to_jsonb(s) ->> 'synced')::boolean, false)
FROM pg_replication_slots s,
     (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS log_end) wal`

func statuses(ctx context.Context, db DB, sql string, args ...any) ([]Status, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanStatus)
}

func scanStatus(row pgx.CollectableRow) (Status, error) {
	var s Status
	var restart, confirmed string
	var inactiveSince *time.Time
	if err := row.Scan(
		&s.Name, &s.Plugin, &s.Database, &s.Active, &s.PID,
		&s.WALStatus, &restart, &confirmed, &s.RetainedBytes, &s.BehindBytes, &s.SafeBytes,
		&inactiveSince, &s.InvalidationReason, &s.Temporary, &s.Failover, &s.Synced,
	); err != nil {
		return Status{}, err
	}
	if inactiveSince != nil {
		s.InactiveSince = *inactiveSince
	}
	var err error
	if s.RestartLSN, err = schema.ParseLSN(restart); err != nil {
		return Status{}, fmt.Errorf("restart_lsn of slot %s: %w", s.Name, err)
	}
	if s.ConfirmedFlushLSN, err = schema.ParseLSN(confirmed); err != nil {
		return Status{}, fmt.Errorf("confirmed_flush_lsn of slot %s: %w", s.Name, err)
	}
	return s, nil
}
