package parity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack"
	"penstock/internal/typecases"
)

// baseSlot stands before every change; each reader has a copy of it.
const baseSlot = "parity_base"

// Rig is the private servers of one comparison: Postgres, Kafka, and Connect with
// Debezium. One reader of the slot runs at a time.
type Rig struct {
	say      func(format string, args ...any)
	dir      string // for the daemon, its configurations and its logs
	postgres *stack.Instance
	kafka    *stack.Instance
	connect  *stack.Connect
	db       *pgx.Conn
	major    int // of Postgres
	types    *typecases.Table
	shapes   []Shape
}

// OpenRig starts the servers. Close ends them, and the end of this process does too. throughput starts them for
// measuring. progress hears what happens.
func OpenRig(ctx context.Context, throughput bool, progress func(line string)) (*Rig, error) {
	r := &Rig{say: func(format string, args ...any) { progress(fmt.Sprintf(format, args...)) }}
	if err := r.start(ctx, throughput); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

func (r *Rig) start(ctx context.Context, throughput bool) error {
	opts := stack.Options{Mode: stack.Native, Throughput: throughput, Progress: func(e stack.Event) { r.say("%s", e) }}
	var err error
	if r.dir, err = os.MkdirTemp("", "penstock-parity-"); err != nil {
		return err
	}
	r.postgres, err = stack.StartPostgres(ctx, opts, map[string]string{
		"max_prepared_transactions": "8", "max_replication_slots": "64", "max_wal_senders": "16",
	})
	if err != nil {
		return err
	}
	// Nothing is killed here: on a busy machine the broker may be late to say that it lives.
	if r.kafka, err = stack.StartKafka(ctx, opts, map[string]string{"broker.session.timeout.ms": "60000"}); err != nil {
		return err
	}
	if r.connect, err = stack.StartConnect(ctx, opts, r.kafka.Address(), nil); err != nil {
		return err
	}
	if r.db, err = pgx.Connect(ctx, r.postgres.DSN()); err != nil {
		return err
	}
	if err := r.db.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&r.major); err != nil {
		return err
	}
	return r.load(ctx)
}

// Close ends the servers.
func (r *Rig) Close(ctx context.Context) error {
	var errs []error
	if r.db != nil {
		errs = append(errs, r.db.Close(context.WithoutCancel(ctx)))
	}
	if r.connect != nil {
		errs = append(errs, r.connect.Close())
	}
	for _, in := range []*stack.Instance{r.kafka, r.postgres} {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	if r.dir != "" {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}

// exec runs a script whose statements each are a transaction of their own unless it says BEGIN.
func (r *Rig) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := r.db.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.300s: %w", strings.TrimSpace(s), err)
		}
	}
	return nil
}
