package workload_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"penstock/internal/chaos/workload"
	"penstock/internal/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func setup(t *testing.T) (dsn string, db *pgx.Conn) {
	t.Helper()
	dsn = stacktest.Database(t)
	for range 2 { // the second time changes nothing
		if err := workload.Setup(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	return dsn, db
}

func count(t *testing.T, db *pgx.Conn, sql string) (n int64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// TestLoadWritesTheWholeMix demands something of every table and every outcome
// that a healthy server has, and a log that agrees with the history.
func TestLoadWritesTheWholeMix(t *testing.T) {
	dsn, db := setup(t)
	before := goleak.IgnoreCurrent()
	load := workload.Start(t.Context(), workload.Options{DSN: dsn, Seed: 7, Workers: 3, Events: 15_000})
	if err := load.Large(t.Context(), 2_000); err != nil {
		t.Fatal(err)
	}
	log, err := load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
	for _, table := range workload.Tables() {
		if n := count(t, db, "SELECT count(*) FROM history WHERE tbl = '"+table.String()+"'"); n < 20 {
			t.Errorf("%s: %d changes, want more", table, n)
		}
	}
	for _, op := range []string{"c", "u", "d", "t"} {
		if n := count(t, db, "SELECT count(*) FROM history WHERE op = '"+op+"'"); n == 0 {
			t.Errorf("no change of kind %s", op)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM history WHERE old_key IS NOT NULL"); n == 0 {
		t.Error("no key was changed")
	}
	if sum := count(t, db, "SELECT sum(bal)::bigint FROM acct"); sum != 0 {
		t.Errorf("the accounts sum up to %d, want 0", sum)
	}
	if log.Count(workload.Fail) == 0 || log.Count(workload.Unknown) != 0 {
		t.Errorf("%d failed, %d unknown; want some that were rolled back and none unknown", log.Count(workload.Fail), log.Count(workload.Unknown))
	}
	var changes, committed int64
	for _, op := range log.Ops {
		if op.Outcome != workload.OK {
			continue
		}
		committed++
		changes += op.Changes
		if op.XID == 0 {
			t.Fatalf("transaction %d of worker %d has no id", op.N, op.Worker)
		}
	}
	if changes != load.Written() || changes < 15_000 {
		t.Errorf("the log has %d changes, Written %d, want the same and at least 15000", changes, load.Written())
	}
	// A row that changes its partition is one change to the client and two in the log:
	// others write between the two, so they are told by the row, not by their numbers.
	moves := count(t, db, `SELECT count(*) FROM history a JOIN history b USING (xid)
		WHERE a.tbl = 'public.part_t' AND b.tbl = a.tbl AND a.op = 'd' AND b.op = 'c' AND a.seq < b.seq AND b.ver = a.ver + 1
			AND split_part(a.key, ',', 1) = split_part(b.key, ',', 1)`)
	if n := count(t, db, "SELECT count(*) FROM history"); n != changes+moves || moves == 0 {
		t.Errorf("the history has %d changes, the log %d with %d moves", n, changes, moves)
	}
	if n := count(t, db, "SELECT count(DISTINCT xid) FROM history"); n > committed {
		t.Errorf("the history has %d transactions, the log %d", n, committed)
	}
}

// TestTheSeedDecides writes with one worker twice: two databases, one history.
func TestTheSeedDecides(t *testing.T) {
	const digest = `SELECT md5(string_agg(tbl || op || coalesce(key, '') || coalesce(ver, 0), ',' ORDER BY seq)) FROM history
		WHERE tbl NOT IN ('public.pair_t')`
	var sums []string
	for range 2 {
		dsn, db := setup(t)
		load := workload.Start(t.Context(), workload.Options{DSN: dsn, Seed: 11, Workers: 1, Events: 2_000})
		if _, err := load.Wait(); err != nil {
			t.Fatal(err)
		}
		var sum string
		if err := db.QueryRow(t.Context(), digest).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	if sums[0] != sums[1] {
		t.Errorf("one seed wrote %s and %s", sums[0], sums[1])
	}
}

// TestLoadOutlivesItsServer kills Postgres under the load: what was confirmed is
// there, and the load goes on.
func TestLoadOutlivesItsServer(t *testing.T) {
	in := stacktest.Postgres(t, nil)
	if err := workload.Setup(t.Context(), in.DSN()); err != nil {
		t.Fatal(err)
	}
	load := workload.Start(t.Context(), workload.Options{DSN: in.DSN(), Seed: 3, Patience: 10 * time.Second})
	await(t, func() bool { return load.Written() > 2_000 })
	in.Kill()
	if err := in.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := load.Written()
	await(t, func() bool { return load.Written() > at+2_000 })
	load.Stop()
	log, err := load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), in.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	there := map[string]bool{} // by tag: a server that broke down gives transaction ids again
	rows, err := db.Query(t.Context(), "SELECT DISTINCT tag FROM history")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		there[tag] = true
	}
	for _, op := range log.Ops {
		committed := there[fmt.Sprintf("%d:%d", op.Worker, op.N)]
		if op.Outcome == workload.OK && op.Changes > 0 && !committed {
			t.Errorf("worker %d, transaction %d, xid %d: confirmed and gone", op.Worker, op.N, op.XID)
		}
		if op.Outcome == workload.Fail && committed {
			t.Errorf("worker %d, transaction %d, xid %d: failed and there", op.Worker, op.N, op.XID)
		}
	}
	t.Logf("ok %d, fail %d, unknown %d", log.Count(workload.OK), log.Count(workload.Fail), log.Count(workload.Unknown))
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	tick, expired := time.NewTicker(10*time.Millisecond), time.After(60*time.Second)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-expired:
			t.Fatal("the load stands still")
		}
	}
}
