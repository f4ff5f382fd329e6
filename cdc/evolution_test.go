package cdc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// TestTableChangesWithinATransaction: each row has the columns of its time.
func TestTableChangesWithinATransaction(t *testing.T) {
	for _, identity := range []string{"DEFAULT", "FULL"} {
		t.Run(identity, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY "+identity, "t").plainly()
			c := s.startStreaming()
			s.exec(`BEGIN;
				INSERT INTO t VALUES (1, 'a');
				ALTER TABLE t ADD COLUMN n int DEFAULT 7;
				INSERT INTO t VALUES (2, 'b', 8);
				UPDATE t SET v = 'A' WHERE id = 1;
				ALTER TABLE t RENAME COLUMN v TO w;
				INSERT INTO t VALUES (3, 'c', 9);
				ALTER TABLE t ALTER COLUMN n TYPE text USING 'no. ' || n;
				INSERT INTO t VALUES (4, 'd', 'ten');
				ALTER TABLE t DROP COLUMN w;
				INSERT INTO t VALUES (5, 'eleven');
				DELETE FROM t WHERE id = 2;
				COMMIT`)
			s.exec("UPDATE t SET n = 'last' WHERE id = 1")
			want := []string{
				`{"id":1} {"id":1,"v":"a"}`,
				`{"id":2} {"id":2,"v":"b","n":8}`,
				`{"id":1} {"id":1,"v":"A","n":7}`,
				`{"id":3} {"id":3,"w":"c","n":9}`,
				`{"id":4} {"id":4,"w":"d","n":"ten"}`,
				`{"id":5} {"id":5,"n":"eleven"}`,
				`{"id":2}`,
				`{"id":1} {"id":1,"n":"last"}`,
			}
			if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, len(want)))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			c.finish()
		})
	}
}

// TestKeyIsRenamed: rows from before and after it have the key that they had.
func TestKeyIsRenamed(t *testing.T) {
	for _, identity := range []string{"DEFAULT", "FULL"} {
		t.Run(identity, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY "+identity, "t").plainly()
			c := s.startStreaming()
			s.exec("BEGIN; INSERT INTO t VALUES (1, 'a'); ALTER TABLE t RENAME COLUMN id TO key; INSERT INTO t VALUES (2, 'b'); DELETE FROM t WHERE key = 1; COMMIT")
			want := []string{`{"id":1} {"id":1,"v":"a"}`, `{"key":2} {"key":2,"v":"b"}`, `{"key":1}`}
			if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, len(want)))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			c.finish()
		})
	}
}

// TestEnumGrows while the capture runs: the schema allows the value that it carries.
func TestEnumGrows(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int PRIMARY KEY, m mood)", "t")
	s.cfg.Tables[0].Format = format.Format{Schemas: true}
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'ok')")
	s.read(s.cfg.Tables[0].Topic, 1)
	s.exec("ALTER TYPE mood ADD VALUE 'fine' BEFORE 'ok'")
	s.exec("INSERT INTO t VALUES (2, 'fine')")
	want := []string{"ok of sad,ok", "fine of sad,fine,ok"}
	var got []string
	for _, r := range s.read(s.cfg.Tables[0].Topic, 2) {
		var record struct {
			Payload struct{ After struct{ M string } }
		}
		if err := json.Unmarshal(r.Value, &record); err != nil {
			t.Fatal(err)
		}
		_, allowed, _ := strings.Cut(string(r.Value), `"io.debezium.data.Enum","version":1,"parameters":{"allowed":"`)
		allowed, _, _ = strings.Cut(allowed, `"`)
		got = append(got, record.Payload.After.M+" of "+allowed)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values and what their schemas allow (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestCompositeChanges: a value has the attributes that the type has by now, or stays its
// text if it has others; rows from before and after the change are read later, and while it is made.
func TestCompositeChanges(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TYPE pair AS (a int, b text); CREATE TABLE t (id int PRIMARY KEY, c pair, cs pair[])", "t")
	s.cfg.Tables[0].Format, s.cfg.Partitions = format.Format{Kind: format.JSON}, 1
	s.startStreaming().finish()
	s.exec(`INSERT INTO t VALUES (1, (1, 'x'), ARRAY[(1, 'x')::pair]);
		ALTER TYPE pair ADD ATTRIBUTE n int;
		INSERT INTO t VALUES (2, (2, 'y', 2), ARRAY[(2, 'y', 2)::pair])`)
	c := s.startStreaming()
	s.read(s.cfg.Tables[0].Topic, 2)
	s.exec("ALTER TYPE pair DROP ATTRIBUTE b")
	s.exec("INSERT INTO t VALUES (3, (3, 3), ARRAY[(3, 3)::pair])")
	want := []string{
		`{"id":1,"c":"(1,x)","cs":["(1,x)"]}`,
		`{"id":2,"c":{"a":2,"b":"y","n":2},"cs":[{"a":2,"b":"y","n":2}]}`,
		`{"id":3,"c":{"a":3,"n":3},"cs":[{"a":3,"n":3}]}`,
	}
	var got []string
	for _, r := range s.read(s.cfg.Tables[0].Topic, len(want)) {
		got = append(got, string(r.Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestFrozenTableStops at its first change with other columns, also behind a lost
// connection, and goes on with them when it is started again.
func TestFrozenTableStops(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	s.cfg.Tables[0].Frozen = true
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1)")
	s.read(s.cfg.Tables[0].Topic, 1)
	pid := s.one("SELECT active_pid::text FROM pg_replication_slots WHERE slot_name = '" + s.cfg.Slot + "'")
	s.exec("SELECT pg_terminate_backend(" + pid + ")")
	eventually(t, "another walsender", func() bool {
		return s.one("SELECT coalesce(active_pid, "+pid+")::text FROM pg_replication_slots WHERE slot_name = '"+s.cfg.Slot+"'") != pid
	})
	s.exec("ALTER TABLE t ADD COLUMN more text")
	s.exec("BEGIN; INSERT INTO t VALUES (2, 'x'), (3, 'y'); COMMIT")
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.Refused, "public.t, commit ", ", change 0: ", "the table has columns (id int4, more text) now, it had (id int4)", "start again")
	if diff := cmp.Diff([]string{`{"id":1} {"id":1}`}, rows(s.read(s.cfg.Tables[0].Topic, 1))); diff != "" {
		t.Errorf("before the restart (-want +got):\n%s", diff)
	}
	c = s.startStreaming()
	want := []string{`{"id":1} {"id":1}`, `{"id":2} {"id":2,"more":"x"}`, `{"id":3} {"id":3,"more":"y"}`}
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, 3))); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestRefusalKeepsWhatIsComplete: what commits before the refused change is in Kafka
// when the capture stops. It would else stop at the same place for ever: what comes
// again begins with the old columns.
func TestRefusalKeepsWhatIsComplete(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	s.cfg.Tables[0].Frozen, s.cfg.MarkCommits = true, true
	s.startStreaming().finish()
	for _, sql := range []string{"INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN more text", "INSERT INTO t VALUES (2, 'x')"} {
		s.exec(sql)
	}
	expect(t, s.refusal(), fault.Refused, "the table has columns (id int4, more text) now")
	want := []string{`{"id":1} {"id":1}`}
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, 1))); diff != "" {
		t.Errorf("before the restart (-want +got):\n%s", diff)
	}
	c := s.startStreaming()
	want = append(want, `{"id":2} {"id":2,"more":"x"}`)
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, 2))); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	c.finish()
	if marks := s.marks(4); len(marks) != 4 {
		t.Errorf("%d marks, want begin and end of two commits", len(marks))
	}
}
