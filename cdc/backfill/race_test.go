package backfill

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestLSNsDoNotTellWhatASnapshotSees: a commit lies in the log, and is streamed, below
// any mark that is set before a chunk is read; and the chunk has the row from before it. Who
// drops only what is streamed between two marks delivers that row behind its own successor.
func TestLSNsDoNotTellWhatASnapshotSees(t *testing.T) {
	server := stacktest.Postgres(t, nil)
	connect := func() *pgx.Conn {
		db, err := pgx.Connect(t.Context(), server.DSN())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close(context.Background()) })
		return db
	}
	db := connect()
	exec := func(sql string) {
		t.Helper()
		for one := range strings.SplitSeq(sql, ";") {
			if _, err := db.Exec(t.Context(), one); err != nil {
				t.Fatalf("%s: %v", one, err)
			}
		}
	}
	one := func(sql string) (text string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), sql).Scan(&text); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return text
	}
	exec(`SET synchronous_commit TO local; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'); CREATE PUBLICATION p FOR TABLE t;
		SELECT pg_create_logical_replication_slot('s', 'test_decoding'); ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()`)
	var held sync.WaitGroup
	other := connect()
	held.Go(func() {
		if _, err := other.Exec(context.Background(), "UPDATE t SET v = 'new'"); err != nil {
			t.Error(err)
		}
	})
	// The slot sends the change, with its commit.
	var streamed string
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		streamed = one("SELECT coalesce(string_agg(lsn || ' ' || xid || ' ' || data, ';' ORDER BY lsn), '') FROM pg_logical_slot_peek_changes('s', NULL, NULL)")
		if strings.Contains(streamed, "v[text]:'new'") && strings.Contains(streamed, "COMMIT") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the change is not streamed: %q", streamed)
		}
	}
	commit, err := schema.ParseLSN(one("SELECT lsn::text FROM pg_logical_slot_peek_changes('s', NULL, NULL) WHERE data LIKE 'COMMIT%' ORDER BY lsn DESC LIMIT 1"))
	if err != nil {
		t.Fatal(err)
	}
	low, err := schema.ParseLSN(one("SELECT pg_current_wal_insert_lsn()::text"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, server.DSN()) }, []string{"p"})
	defer r.close(context.Background())
	table := schema.TableName{Schema: "public", Name: "t"}
	plan, err := r.plan(t.Context(), &Order{Table: table})
	if err != nil || len(plan.Parts) != 1 || plan.Parts[0].Blocks != 1 {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	p := plan.Parts[0]
	chunk, err := r.read(t.Context(), &Order{Table: table, OID: p.OID, Name: p.Name, Filenode: p.Filenode, Span: Span{To: p.Blocks}})
	if err != nil {
		t.Fatal(err)
	}
	if string(chunk.Rows) != "1\told\n" {
		t.Fatalf("the chunk has %q: the commit is visible, the test shows nothing", chunk.Rows)
	}
	// By LSNs: the change was committed before the lower mark, so nothing between the marks
	// concerns the row, which would be delivered behind the change.
	if commit > low || commit > chunk.After {
		t.Fatalf("the commit at %s is not below the marks %s and %s", commit, low, chunk.After)
	}
	// By the snapshot:
	var xid uint32
	if err := db.QueryRow(t.Context(), "SELECT xid FROM pg_logical_slot_peek_changes('s', NULL, NULL) WHERE data LIKE 'COMMIT%' ORDER BY lsn DESC LIMIT 1").Scan(&xid); err != nil {
		t.Fatal(err)
	}
	w := NewWindow()
	w.Follow(table)
	row := schema.Tuple{{Kind: schema.Text, Data: []byte("1")}, {Kind: schema.Text, Data: []byte("new")}}
	w.Note(&schema.Event{Op: schema.OpUpdate, Relation: chunk.Relation, New: row, Source: schema.Source{XID: xid}})
	if got := w.Judge(table, AppendKey(nil, row, chunk.Relation.Key), &chunk.Snapshot); got != Stale {
		t.Errorf("verdict %d, want the row to be stale", got)
	}
	// Who begins to follow only now does not know of it: settling waits for it.
	settled := make(chan error, 1)
	go func() { settled <- (&Pool{}).settle(t.Context(), newReader(r.connect, nil)) }()
	select {
	case err := <-settled:
		t.Fatalf("settled while the commit is on its way: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	exec("ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()")
	if err := <-settled; err != nil {
		t.Error(err)
	}
	held.Wait()
}
