package slot_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// server is a real database of the test's own.
type server struct {
	*pgx.Conn
	dsn string
}

func setup(t *testing.T) server {
	t.Helper()
	return open(t, stacktest.Database(t))
}

// private is a server of the test's own, for settings that others could not bear.
func private(t *testing.T, settings map[string]string) server {
	t.Helper()
	return open(t, stacktest.Postgres(t, settings).DSN())
}

func open(t *testing.T, dsn string) server {
	t.Helper()
	return server{connect(t, dsn), dsn}
}

// connect opens a session that ends with the test.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func (s server) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// name is one that no other test of the server uses: slots and roles belong to the
// cluster, not to a database.
func name(t *testing.T, suffix string) string {
	return strings.ToLower(fmt.Sprintf("slot_test_%d_%.20s_%s", os.Getpid(), t.Name()[len("Test"):], suffix))
}

// create makes a slot that goes with the database.
func (s server) create(t *testing.T, name string) schema.LSN {
	t.Helper()
	point, err := slot.Create(t.Context(), s, name, slot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return point
}

func TestASlotIsCreatedFoundListedAndDropped(t *testing.T) {
	db := setup(t)
	orders := name(t, "orders")
	point := db.create(t, orders)
	db.exec(t, "SELECT pg_logical_emit_message(true, 'filler', repeat('x', 100000))")

	status := db.status(t, orders)
	var database string
	if err := db.QueryRow(t.Context(), "SELECT current_database()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	if status.Name != orders || status.Plugin != slot.Plugin || status.Database != database || status.Active || status.PID != 0 {
		t.Errorf("got %+v", status)
	}
	if status.ConfirmedFlushLSN != point || status.RestartLSN.IsZero() || status.RestartLSN > point {
		t.Errorf("restart %s, confirmed %s, want the second to be the consistent point %s",
			status.RestartLSN, status.ConfirmedFlushLSN, point)
	}
	if status.WALStatus != slot.WALReserved || status.BehindBytes < 100_000 || status.RetainedBytes < status.BehindBytes {
		t.Errorf("wal %s, behind %d, retained %d bytes", status.WALStatus, status.BehindBytes, status.RetainedBytes)
	}

	if !listed(t, db, orders) {
		t.Errorf("the list lacks %s", orders)
	}
	if err := slot.Drop(t.Context(), db, orders); err != nil {
		t.Fatal(err)
	}
	if listed(t, db, orders) {
		t.Errorf("%s is still listed", orders)
	}
	if _, found, err := slot.Find(t.Context(), db, orders); err != nil || found {
		t.Errorf("dropped slot: found %t, error %v", found, err)
	}
}

func listed(t *testing.T, db slot.DB, name string) bool {
	t.Helper()
	all, err := slot.List(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name {
			return true
		}
	}
	return false
}

func TestAFailoverSlotIsShownAsOne(t *testing.T) {
	db := setup(t)
	if !since17(t, db) {
		_, err := slot.Create(t.Context(), db, name(t, "orders"), slot.Options{Failover: true})
		checkFault(t, err, fault.Error{
			Kind: fault.Usage, Where: fmt.Sprintf("slot %q", name(t, "orders")), What: "the server knows no failover slots",
			Why: "Postgres has them from version 17 on", Fix: "create the slot without failover, or upgrade the server",
		})
		return
	}
	if _, err := slot.Create(t.Context(), db, name(t, "orders"), slot.Options{Failover: true}); err != nil {
		t.Fatal(err)
	}
	db.create(t, name(t, "plain"))
	db.exec(t, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput', temporary => true)", name(t, "passing")))
	for suffix, want := range map[string][2]bool{"orders": {true, false}, "plain": {false, false}, "passing": {false, true}} {
		if s := db.status(t, name(t, suffix)); s.Failover != want[0] || s.Temporary != want[1] || s.Synced {
			t.Errorf("slot %s: failover %t, temporary %t, synced %t", suffix, s.Failover, s.Temporary, s.Synced)
		}
	}
}

func TestAnExistingSlotIsNotCreatedAgain(t *testing.T) {
	db := setup(t)
	orders := name(t, "orders")
	db.create(t, orders)
	_, err := slot.Create(t.Context(), db, orders, slot.Options{})
	checkFault(t, err, fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("slot %q", orders), What: "the slot exists already",
		Why: "its position is its consumer's, and starting from there may miss or repeat changes",
		Fix: "choose another name, or drop it if nobody needs it: penstock slot drop " + orders,
	})
}

func TestAMissingSlotIsAnsweredWithThoseThereAre(t *testing.T) {
	db := setup(t)
	orders := name(t, "orders")
	db.create(t, orders)
	err := slot.Drop(t.Context(), db, "no_such_slot")
	if f := asFault(t, err); f.Kind != fault.Usage || !strings.Contains(f.Fix, orders) {
		t.Errorf("got %v, fix %q; want a usage fault that lists %s", f, f.Fix, orders)
	}
}

func TestAnActiveSlotIsNotDropped(t *testing.T) {
	db := setup(t)
	orders := name(t, "orders")
	db.create(t, orders)
	pid := stream(t, db.dsn, orders)
	err := slot.Drop(t.Context(), db, orders)
	checkFault(t, err, fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("slot %q", orders),
		What: fmt.Sprintf("the slot is active for pid %d", pid), Why: "a consumer streams from it",
		Fix: fmt.Sprintf("stop its consumer, or end its session with SELECT pg_terminate_backend(%d);", pid),
	})
	if status := db.status(t, orders); !status.Active || status.PID != pid {
		t.Errorf("active %t for pid %d; want pid %d", status.Active, status.PID, pid)
	}
}

// stream starts replication from a slot and returns the server process's id.
func stream(t *testing.T, dsn, name string) int32 {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close(context.Background()) // it may still be copying: the database's end is its own
	})
	options := pglogrepl.StartReplicationOptions{PluginArgs: []string{"proto_version '1'", "publication_names 'none'"}}
	if err := pglogrepl.StartReplication(t.Context(), conn.PgConn(), name, 0, options); err != nil {
		t.Fatal(err)
	}
	return int32(conn.PgConn().PID())
}

func TestARoleWithoutReplicationIsToldHowToGetIt(t *testing.T) {
	db := setup(t)
	role := db.role(t, "reader")
	_, err := slot.Create(t.Context(), db, name(t, "orders"), slot.Options{})
	checkFault(t, err, fault.Error{
		Kind: fault.Usage, Where: fmt.Sprintf("slot %q", name(t, "orders")),
		What: fmt.Sprintf("role %q may not use replication slots", role),
		Fix:  fmt.Sprintf(`ALTER ROLE "%s" REPLICATION; as a superuser`, role),
	})
}

// role makes a role without any right and goes on as it for the test's duration.
func (s server) role(t *testing.T, suffix string) string {
	t.Helper()
	role := name(t, suffix)
	s.exec(t, "CREATE ROLE "+role)
	t.Cleanup(func() {
		if _, err := s.Exec(context.Background(), "RESET ROLE; DROP OWNED BY "+role+"; DROP ROLE "+role, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	})
	s.exec(t, "SET ROLE "+role)
	return role
}

func TestAServerWithoutLogicalLogIsToldHowToGetIt(t *testing.T) {
	db := private(t, map[string]string{"wal_level": "replica"})
	_, err := slot.Create(t.Context(), db, "orders", slot.Options{})
	checkFault(t, err, fault.Error{
		Kind: fault.Usage, Where: `slot "orders"`, What: "wal_level is replica, not logical",
		Why: "the log does not hold what logical decoding needs",
		Fix: "ALTER SYSTEM SET wal_level = logical; then restart Postgres",
	})
}

func TestAServerWithItsSlotsTakenSaysHowManyItHas(t *testing.T) {
	db := private(t, map[string]string{"max_replication_slots": "1"})
	db.create(t, "orders")
	_, err := slot.Create(t.Context(), db, "lines", slot.Options{})
	checkFault(t, err, fault.Error{
		Kind: fault.Refused, Where: `slot "lines"`, What: "no replication slot is free",
		Why: "max_replication_slots is 1",
		Fix: "drop an unused slot, or raise max_replication_slots with ALTER SYSTEM and restart Postgres",
	})
}

func TestALostSlotHoldsNothingAndSaysWhy(t *testing.T) {
	db := private(t, map[string]string{"max_slot_wal_keep_size": "1MB"})
	db.create(t, "orders")
	if status := db.status(t, "orders"); status.SafeBytes == nil || *status.SafeBytes <= 0 {
		t.Errorf("fresh slot under a limit: %+v; want safe bytes", status)
	}
	for range 4 { // segments, where the limit allows one
		db.exec(t, "SELECT pg_logical_emit_message(true, 'filler', 'x')")
		db.exec(t, "SELECT pg_switch_wal()")
	}
	db.exec(t, "CHECKPOINT")
	status := db.status(t, "orders")
	if status.WALStatus != slot.WALLost || !status.RestartLSN.IsZero() || status.RetainedBytes != 0 || status.SafeBytes != nil {
		t.Errorf("got %+v; want a lost slot that retains nothing", status)
	}
	if !since17(t, db) {
		return
	}
	if status.InvalidationReason != "wal_removed" || status.InactiveSince.IsZero() {
		t.Errorf("reason %q, inactive since %s", status.InvalidationReason, status.InactiveSince)
	}
}

func (s server) status(t *testing.T, name string) slot.Status {
	t.Helper()
	status, found, err := slot.Find(t.Context(), s, name)
	if err != nil || !found {
		t.Fatalf("slot %s: found %t, error %v", name, found, err)
	}
	return status
}

// since17 tells whether the server knows why and since when a slot is not in use.
func since17(t *testing.T, db slot.DB) bool {
	t.Helper()
	var since bool
	if err := db.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int >= 170000").Scan(&since); err != nil {
		t.Fatal(err)
	}
	return since
}

func TestCreationGivesUpWhenATransactionHoldsItBack(t *testing.T) {
	db := setup(t)
	db.exec(t, "CREATE TABLE orders (id int); BEGIN; INSERT INTO orders VALUES (1)")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := slot.Create(ctx, connect(t, db.dsn), name(t, "orders"), slot.Options{})
	if f := asFault(t, err); f.Kind != fault.Unreachable || !strings.Contains(f.Why, "waits for every transaction") {
		t.Errorf("got %v, why %q", f, f.Why)
	}
}
