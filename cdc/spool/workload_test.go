package spool_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock/internal/stack/stacktest"
)

// TestStreamingChangesNothing runs a workload once and reads it through two slots,
// one of which streams. What comes out must be the same transactions, byte by byte,
// in the same order, with every change under the same shape of its table.
func TestStreamingChangesNothing(t *testing.T) {
	dsn := stacktest.Database(t)
	w := &workload{t: t, one: open(t, dsn), two: open(t, dsn), three: open(t, dsn)}
	exec(t, w.one, `
		CREATE TABLE reading (id int PRIMARY KEY, note text);
		CREATE TABLE late (id int PRIMARY KEY, note text);
		CREATE TABLE small (id int PRIMARY KEY);
		CREATE SCHEMA before;
		CREATE TABLE before.moved (id int PRIMARY KEY);
		CREATE TABLE mark (note text);
		CREATE PUBLICATION p FOR ALL TABLES`)
	slots := [2]string{fmt.Sprintf("spool_streamed_%d", os.Getpid()), fmt.Sprintf("spool_plain_%d", os.Getpid())}
	for _, slot := range slots {
		exec(t, w.one, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", slot))
	}
	w.streamed = read(t, dsn, slots[0], "proto_version '2'", "streaming 'on'")

	for _, part := range []func(){
		w.savepoints, w.rollback, w.interleaved, w.manySubtransactions, w.everyKind, w.shapes, w.shapeOfAnAbortedSavepoint, w.renamedMeanwhile,
	} {
		part()
	}
	exec(t, w.one, "INSERT INTO mark VALUES ('the end')")
	w.streamed.until("the end", w.streamed.last)
	plain := read(t, dsn, slots[1], "proto_version '1'")
	plain.until("the end", plain.last)
	w.compare(plain)
}

func (w *workload) compare(plain *reading) {
	w.t.Helper()
	got, gotBeside := understand(w.t, w.streamed.messages)
	want, wantBeside := understand(w.t, plain.messages)
	if plain.blocks != 0 || len(w.streamed.rows) < 8 {
		w.t.Fatalf("%d transactions were streamed, and %d blocks where nothing should be", len(w.streamed.rows), plain.blocks)
	}
	w.t.Logf("%d transactions, %d of them streamed in %d blocks, %d with rollbacks", len(got), len(w.streamed.rows), w.streamed.blocks, len(w.streamed.aborts))
	if len(got) != len(want) {
		w.t.Fatalf("%d transactions, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].begin != want[i].begin || got[i].commit != want[i].commit {
			w.t.Fatalf("transaction %d:\ngot  %+v %+v\nwant %+v %+v", i, got[i].begin, got[i].commit, want[i].begin, want[i].commit)
		}
		if len(got[i].changes) != len(want[i].changes) {
			w.t.Errorf("transaction %d: %d changes, want %d", want[i].begin.XID, len(got[i].changes), len(want[i].changes))
			continue
		}
		for j, c := range want[i].changes {
			if w.streamed.rows[want[i].begin.XID] > 0 { // what was streamed before the renaming has the old name
				c.relations = strings.ReplaceAll(c.relations, "after.moved", "before.moved")
			}
			if got[i].changes[j] != c {
				w.t.Fatalf("transaction %d, change %d:\ngot  %.200q\nwant %.200q", want[i].begin.XID, j, got[i].changes[j], c)
			}
		}
	}
	if !slices.Equal(gotBeside, wantBeside) {
		w.t.Errorf("messages beside: got %q, want %q", gotBeside, wantBeside)
	}
	// Every begin and commit, also of transactions that turned out empty, is of
	// the bytes that the server sends unstreamed.
	for _, data := range plain.messages {
		if data[0] == 'B' || data[0] == 'C' {
			if !slices.ContainsFunc(w.streamed.messages, func(m []byte) bool { return bytes.Equal(m, data) }) {
				w.t.Errorf("%x is not among the messages of the streaming slot", data)
			}
		}
	}
}

// savepoints: what is rolled back was streamed before; a table that was first
// touched there is touched again.
func (w *workload) savepoints() {
	exec(w.t, w.one, "BEGIN;"+rows(1000)+"SAVEPOINT a;"+rows(2000)+"INSERT INTO late VALUES (1, 'gone');"+rows(3000))
	w.seen(w.one, 2001)
	exec(w.t, w.one, "ROLLBACK TO a; INSERT INTO late VALUES (2, 'stays');"+rows(4000)+"SAVEPOINT b;"+rows(5000)+"RELEASE b; SAVEPOINT c;"+rows(6000))
	w.seen(w.one, 5100)
	exec(w.t, w.one, "ROLLBACK TO c; RELEASE a; INSERT INTO late VALUES (3, 'stays too'); COMMIT")
}

func (w *workload) rollback() {
	exec(w.t, w.one, "BEGIN;"+rows(10_000)+"SAVEPOINT a;"+rows(11_000)+"SAVEPOINT b;"+rows(12_000)+"RELEASE b;")
	w.seen(w.one, 2001)
	exec(w.t, w.one, "ROLLBACK")
}

// interleaved: the one that begins first commits last.
func (w *workload) interleaved() {
	exec(w.t, w.one, "BEGIN;"+rows(20_000))
	w.seen(w.one, 1)
	exec(w.t, w.two, "BEGIN; SAVEPOINT a;"+rows(30_000))
	w.seen(w.two, 1)
	exec(w.t, w.one, rows(21_000))
	w.seen(w.one, 1001)
	exec(w.t, w.two, "ROLLBACK TO a;"+rows(31_000))
	w.seen(w.two, 1001)
	exec(w.t, w.two, "COMMIT")
	w.small()
	exec(w.t, w.one, rows(22_000)+"COMMIT")
}

// manySubtransactions: one for each row, as PL/pgSQL's exception blocks make them.
func (w *workload) manySubtransactions() {
	exec(w.t, w.one, `BEGIN; DO $$ BEGIN
		FOR i IN 40000..42999 LOOP
			BEGIN
				INSERT INTO reading VALUES (i, repeat('y', 100));
				IF i % 3 = 0 THEN RAISE EXCEPTION 'never mind'; END IF;
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
	END $$`)
	w.seen(w.one, 1000)
	exec(w.t, w.one, "COMMIT")
}

func (w *workload) everyKind() {
	exec(w.t, w.one, "BEGIN;"+rows(50_000))
	w.seen(w.one, 1)
	exec(w.t, w.one, `UPDATE reading SET note = 'changed' WHERE id >= 50000;
		UPDATE reading SET id = -id WHERE id >= 50000;
		DELETE FROM reading WHERE id <= -50500;
		INSERT INTO late SELECT 4, string_agg(md5(i::text), '') FROM generate_series(1, 5000) i;
		UPDATE late SET id = 5 WHERE id = 4;
		SELECT pg_logical_emit_message(true, 'within', 'it');
		SELECT pg_logical_emit_message(false, 'beside', 'it');
		SAVEPOINT a; TRUNCATE late; ROLLBACK TO a;
		TRUNCATE late, small`)
	exec(w.t, w.one, "COMMIT")
}

// shapes: one is rolled back with its savepoint, another stays.
func (w *workload) shapes() {
	exec(w.t, w.one, "BEGIN;"+rows(60_000)+"SAVEPOINT a; ALTER TABLE late ADD COLUMN gone int; INSERT INTO late VALUES (10, 'gone', 1);"+rows(61_000))
	w.seen(w.one, 1001)
	exec(w.t, w.one, "ROLLBACK TO a; INSERT INTO late VALUES (11, 'as before');"+rows(62_000))
	w.seen(w.one, 2100)
	exec(w.t, w.one, "ALTER TABLE late RENAME COLUMN note TO remark; INSERT INTO late VALUES (12, 'renamed');"+rows(63_000)+"COMMIT")
	exec(w.t, w.two, "INSERT INTO late VALUES (13, 'after it')")
}

// shapeOfAnAbortedSavepoint: rolling back to it gives up the lock, so that somebody
// else may alter the table before the transaction commits.
func (w *workload) shapeOfAnAbortedSavepoint() {
	exec(w.t, w.one, "BEGIN;"+rows(70_000)+"SAVEPOINT a; INSERT INTO late VALUES (20, 'gone');"+rows(71_000))
	w.seen(w.one, 1001)
	exec(w.t, w.one, "ROLLBACK TO a")
	exec(w.t, w.two, "ALTER TABLE late RENAME COLUMN remark TO comment")
	exec(w.t, w.two, "INSERT INTO late VALUES (21, 'altered')")
	exec(w.t, w.one, rows(72_000))
	w.seen(w.one, 2100)
	exec(w.t, w.one, "COMMIT")
	exec(w.t, w.two, "INSERT INTO late VALUES (22, 'altered still')")
}

// renamedMeanwhile: no lock keeps a schema's name.
func (w *workload) renamedMeanwhile() {
	exec(w.t, w.one, "BEGIN; INSERT INTO before.moved SELECT generate_series(1, 2000);"+rows(80_000))
	w.seen(w.one, 2001)
	exec(w.t, w.two, "ALTER SCHEMA before RENAME TO after")
	exec(w.t, w.two, "INSERT INTO after.moved VALUES (-1)")
	w.small()
	exec(w.t, w.one, "COMMIT")
	exec(w.t, w.two, "INSERT INTO after.moved VALUES (-2)")
}
