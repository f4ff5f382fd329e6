package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack"
)

// Rig is the servers of one measurement, which nobody else uses. Its methods may not be called concurrently.
type Rig struct {
	say      func(format string, args ...any)
	opts     stack.Options
	dir      string // for the configurations and logs of daemons
	postgres *stack.Instance
	kafka    *stack.Instance
	started  []*stack.Instance       // all servers, in the order of their start
	workers  map[bool]*stack.Connect // those of Kafka Connect that run; true is the one that delivers exactly once
	db       *pgx.Conn
	look     *pgx.Conn // of who looks at the processes of a run
	loaded   load      // what is in the slot
	runs     int       // so far: no two share a name
}

// load is what a slot holds.
type load struct {
	rows    int64
	changes int    // of each row
	end     string // LSN behind them
	rate    int    // a second at which they come; 0: they are there
}

func (l load) all() int64 { return l.rows * int64(l.changes) }

// OpenRig starts Postgres and Kafka. Close ends them, and the end of this process does too. progress hears what happens.
func OpenRig(ctx context.Context, progress func(line string)) (*Rig, error) {
	r := &Rig{workers: map[bool]*stack.Connect{}, say: func(format string, args ...any) { progress(fmt.Sprintf(format, args...)) }}
	r.opts = stack.Options{Mode: stack.Native, Throughput: true, Progress: func(e stack.Event) { r.say("%s", e) }}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

func (r *Rig) start(ctx context.Context) (err error) {
	if r.dir, err = os.MkdirTemp("", "penstock-bench-"); err != nil {
		return err
	}
	// Nothing but the readers is to work while they do.
	r.postgres, err = stack.StartPostgres(ctx, r.opts, map[string]string{"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "64GB"})
	if err != nil {
		return err
	}
	r.started = append(r.started, r.postgres)
	// Nothing is killed here: a busy broker may be late to say that it lives. Topics of gigabytes come and go.
	r.kafka, err = stack.StartKafka(ctx, r.opts, map[string]string{"broker.session.timeout.ms": "60000", "log.segment.delete.delay.ms": "1000"})
	if err != nil {
		return err
	}
	r.started = append(r.started, r.kafka)
	if r.db, err = pgx.Connect(ctx, r.postgres.DSN()); err != nil {
		return err
	}
	r.look, err = pgx.Connect(ctx, r.postgres.DSN())
	return err
}

// Close ends the servers.
func (r *Rig) Close(ctx context.Context) error {
	var errs []error
	for _, db := range []*pgx.Conn{r.db, r.look} {
		if db != nil {
			errs = append(errs, db.Close(context.WithoutCancel(ctx)))
		}
	}
	for _, in := range slices.Backward(r.started) {
		errs = append(errs, in.Close())
	}
	return errors.Join(errors.Join(errs...), os.RemoveAll(r.dir))
}

// load writes the rows of a workload behind a new base slot. What an earlier one left is removed.
func (r *Rig) load(ctx context.Context, w Workload, rows int64) error {
	if w.rate == 0 {
		r.say("%s: write %d rows", w.Name, rows)
	}
	err := r.exec(ctx,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"+baseSlot+"'",
		"DROP PUBLICATION IF EXISTS "+publication, "DROP TABLE IF EXISTS "+table+", "+endTable, "CHECKPOINT",
		"CREATE TABLE "+table+" ("+w.columns+")", "CREATE TABLE "+endTable+" (id bigint PRIMARY KEY)",
		"CREATE PUBLICATION "+publication+" FOR TABLE "+table+", "+endTable,
		"SELECT pg_create_logical_replication_slot('"+baseSlot+"', 'pgoutput')",
		"SET synchronous_commit = off")
	if err == nil && w.rate == 0 {
		err = r.exec(ctx, w.fill(rows)...)
	}
	if err == nil {
		err = r.exec(ctx, "SET synchronous_commit = on", "INSERT INTO "+endTable+" VALUES (1)")
	}
	if err == nil {
		err = r.db.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&r.loaded.end)
	}
	if err != nil {
		return fmt.Errorf("write the rows of %s: %w", w.Name, err)
	}
	r.loaded.rows, r.loaded.changes, r.loaded.rate = rows, w.changes, w.rate
	return r.exec(ctx, "CHECKPOINT") // also writes to the log: what is sent comes to lie behind the end
}

func (r *Rig) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := r.db.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.200s: %w", strings.TrimSpace(s), err)
		}
	}
	return nil
}
