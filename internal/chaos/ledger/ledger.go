// Package ledger holds what is on Kafka's topics against what was committed in
// Postgres, by oracles that share no code with the capture: a history written by
// triggers (O1), a second slot decoded by Postgres' own plugin (O2), the log of
// the clients (O3), and the final tables (O4).
//
// Read ledger.go (what is watched during a run), finish.go (what is checked after
// it), check.go and conclude.go (K1), groups.go (K4, K5), follow.go (K2),
// sampler.go (I1), and for the oracles history.go, decoding.go, image.go.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"penstock/schema"
)

// Target is the capture that is judged. Servers are asked directly, not through
// what is put in the daemon's way.
type Target struct {
	DSN              string // of the source database, by a role that may do everything
	Slot             string // the daemon's
	Brokers          []string
	Topics           map[schema.TableName]string
	PositionTopic    string
	PositionKey      string
	TransactionTopic string // begin and end of split commits
}

// Ledger watches a run and judges it. Its methods may be called concurrently, but
// Finish only once.
type Ledger struct {
	target  Target
	slot    string // O2's
	follow  *follower
	sampler *sampler
	group   errgroup.Group
	cancel  context.CancelFunc // ends what group runs
	drop    func() error       // removes the oracle slot, also after the end of Open's context

	mu      sync.Mutex
	changes int64      // of the history, when end was read
	end     schema.LSN // of the log, when nothing was open any more
}

// Open begins to watch. It must return before the first write to the source: what
// was written before is unknown to O2. ctx ends the watching, as Close does.
func Open(ctx context.Context, t Target) (*Ledger, error) {
	l := &Ledger{target: t, slot: oracleSlot(t.Slot), changes: -1}
	if err := l.createSlot(ctx); err != nil {
		return nil, err
	}
	l.drop = func() error { return l.dropSlot(context.WithoutCancel(ctx)) }
	ctx, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	l.sampler = &sampler{ledger: l}
	l.follow = &follower{
		brokers: t.Brokers, position: t.PositionTopic, key: t.PositionKey, seed: maphash.MakeSeed(), chains: map[partition]*chain{},
		topics: slices.Sorted(maps.Values(t.Topics)),
	}
	l.follow.topics = append(l.follow.topics, t.PositionTopic)
	if t.TransactionTopic != "" {
		l.follow.topics = append(l.follow.topics, t.TransactionTopic)
	}
	l.group.Go(func() error { return l.sampler.run(ctx) })
	l.group.Go(func() error { return l.follow.run(ctx) })
	return l, nil
}

// oracleSlot names the second slot after the first, within Postgres' 63 bytes.
func oracleSlot(slot string) string { return "oracle_" + slot[:min(len(slot), 56)] }

// createSlot makes the slot one that fails over, where there is such a thing.
func (l *Ledger) createSlot(ctx context.Context) error {
	db, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSQL(ctx, db)
	var version int
	if err := db.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	query := "SELECT pg_create_logical_replication_slot($1, 'test_decoding')"
	if version >= 17_00_00 {
		query = "SELECT pg_create_logical_replication_slot($1, 'test_decoding', failover => true)"
	}
	if _, err := db.Exec(ctx, query, l.slot); err != nil {
		return fmt.Errorf("create slot %s: %w", l.slot, err)
	}
	return nil
}

// OracleSlot names the second slot. After a failover it must be on the promoted
// server, too.
func (l *Ledger) OracleSlot() string { return l.slot }

// connect opens a session in which values print as the history has them.
func (l *Ledger) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(l.target.DSN)
	if err != nil {
		return nil, fmt.Errorf("connect to the source: %w", err)
	}
	cfg.ConnectTimeout = sampleTimeout
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"application_name": "ledger", "timezone": "UTC", "datestyle": "ISO, YMD", "extra_float_digits": "1", "bytea_output": "hex",
		"work_mem": "128MB",
	})
	db, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the source: %w", err)
	}
	return db, nil
}

// Samples is how often I1 has been looked at so far.
func (l *Ledger) Samples() int { return l.sampler.count() }

// Drained reports whether the slot is confirmed up to all that is committed, and
// if not, what is missing. An error is one of asking: it may pass.
func (l *Ledger) Drained(ctx context.Context) (drained bool, reason string, err error) {
	db, err := l.connect(ctx)
	if err != nil {
		return false, "", err
	}
	defer closeSQL(ctx, db)
	var changes, open int64
	var text string
	// The sequence also counts what is not committed: better one look too many.
	const query = `SELECT coalesce(pg_sequence_last_value('history_seq_seq'), 0), pg_current_wal_insert_lsn()::text,
		(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL)`
	if err := db.QueryRow(ctx, query).Scan(&changes, &text, &open); err != nil {
		return false, "", fmt.Errorf("ask for the end of the log: %w", err)
	}
	end, err := schema.ParseLSN(text)
	if err != nil {
		return false, "", err
	}
	if open > 0 {
		return false, fmt.Sprintf("%d transactions are open in Postgres", open), nil
	}
	confirmed, err := confirmedOf(ctx, db, l.target.Slot)
	if err != nil {
		return false, "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if changes != l.changes {
		l.changes, l.end = changes, end
	}
	if confirmed < l.end {
		return false, fmt.Sprintf("slot %s is confirmed at %s, %d bytes behind", l.target.Slot, confirmed, l.end-confirmed), nil
	}
	return true, "", nil
}

// Close ends the watching and drops the oracle slot.
func (l *Ledger) Close() error {
	l.cancel()
	return errors.Join(l.group.Wait(), l.drop())
}

func (l *Ledger) dropSlot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*sampleTimeout)
	defer cancel()
	db, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSQL(ctx, db)
	const drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1"
	if _, err := db.Exec(ctx, drop, l.slot); err != nil {
		return fmt.Errorf("drop slot %s: %w", l.slot, err)
	}
	return nil
}
