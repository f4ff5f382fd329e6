package stack_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

// TestStandbyFollowsAndIsPromoted with a failover slot, which the promoted server has.
func TestStandbyFollowsAndIsPromoted(t *testing.T) {
	primary := stacktest.Postgres(t, map[string]string{"synchronized_standby_slots": stack.StandbySlot})
	db := connect(t, primary.DSN())
	execute(t, db, "create table t (id int)")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	standby, err := stack.StartPostgresStandby(ctx, stack.Options{}, primary, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer standby.Close()
	execute(t, db, "select pg_create_logical_replication_slot('s', 'pgoutput', failover => true)")
	execute(t, db, "select pg_create_logical_replication_slot('plain', 'pgoutput')")
	moved := make(chan error, 1) // by a reader, while somebody writes
	moving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { moved <- keepMoving(moving, primary.DSN(), "s") }()
	if err := standby.AwaitSyncedSlot(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	execute(t, db, "insert into t values (1)")
	copied := connect(t, standby.DSN())
	await(t, "the row on the standby", func() bool { return count(t, copied, "select count(*) from t") == 1 })
	primary.Kill()
	if err := standby.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	execute(t, copied, "insert into t values (2)")
	if n := count(t, copied, "select count(*) from pg_replication_slots where slot_name = 's' and synced and failover"); n != 1 {
		t.Errorf("%d slots s on the promoted server, want 1", n)
	}
	if n := count(t, copied, "select count(*) from pg_replication_slots where slot_name = 'plain'"); n != 0 {
		t.Errorf("%d plain slots on the promoted server, want none", n)
	}
	if err := standby.Restart(ctx); err != nil {
		t.Fatalf("restart of a promoted server: %v", err)
	}
	if n := count(t, connect(t, standby.DSN()), "select count(*) from t where not pg_is_in_recovery()"); n != 2 {
		t.Errorf("%d rows after a restart, want 2", n)
	}
}

// keepMoving writes and advances a slot until ctx ends.
func keepMoving(ctx context.Context, dsn, slot string) error {
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		_, err := db.Exec(ctx, `create table if not exists filler (id int); insert into filler values (1);
			select pg_log_standby_snapshot()`)
		if err == nil {
			_, err = db.Exec(ctx, "select pg_replication_slot_advance($1, pg_current_wal_lsn())", slot)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) }) // its server may be gone
	return db
}

func execute(t *testing.T, db *pgx.Conn, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t *testing.T, db *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
