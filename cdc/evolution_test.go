package cdc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/record"
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

// accepting gives the capture the word that a refusal names.
func (s *source) accepting(err error) {
	s.t.Helper()
	_, word, found := strings.Cut(err.Error(), "--accept ")
	state, at, separated := strings.Cut(strings.TrimRight(strings.Fields(word + " ")[0], ")"), "@")
	if !found || !separated {
		s.t.Fatalf("no word in: %v", err)
	}
	s.cfg.Accept = cdc.Accept{State: fault.State(state), LSN: lsn(s.t, at)}
}

// refusesShape wants the capture to have ended for a table's columns.
func (s *source) refusesShape(err error, parts ...string) {
	s.t.Helper()
	expect(s.t, err, fault.Refused, append(parts, "shape_changed: ", "--accept shape_changed@")...)
	if fault.StateOf(err) != fault.ShapeChanged {
		s.t.Errorf("state %q", fault.StateOf(err))
	}
}

// delivered wants these rows in the first table's topic, and no more.
func (s *source) delivered(when string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, len(want)))); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func frozenTable(t *testing.T, ddl string) *source {
	t.Helper()
	s := newTables(t, stacktest.Database(t), ddl, "t").plainly()
	s.cfg.Tables[0].Frozen = true
	return s
}

// TestFrozenTableStops at its first change with other columns, also behind a lost
// connection and when it is started again, until it has the operator's word.
func TestFrozenTableStops(t *testing.T) {
	s := frozenTable(t, "CREATE TABLE t (id int PRIMARY KEY)")
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
	parts := []string{"public.t, commit ", ", change 0: ", "the table has columns (id int4, more text) now, it had (id int4)"}
	err := c.wait()
	s.refusesShape(err, parts...)
	s.delivered("before the word", `{"id":1} {"id":1}`)
	s.refusesShape(s.refusal(), parts...)
	s.accepting(err)
	s.cfg.Accept.LSN++
	wrong := s.refusal()
	s.refusesShape(wrong, parts...)
	if f, ok := errors.AsType[*fault.Error](wrong); !ok || !strings.Contains(f.Why, "is the word for another commit") {
		t.Errorf("the wrong word is not told of: %v", wrong)
	}
	s.delivered("with the wrong word", `{"id":1} {"id":1}`)
	s.accepting(err)
	c = s.startStreaming()
	want := []string{`{"id":1} {"id":1}`, `{"id":2} {"id":2,"more":"x"}`, `{"id":3} {"id":3,"more":"y"}`}
	s.delivered("with the word", want...)
	c.finish()
	s.cfg.Accept = cdc.Accept{}
	c = s.startStreaming()
	s.exec("INSERT INTO t VALUES (4, 'z')")
	s.delivered("afterwards", append(want, `{"id":4} {"id":4,"more":"z"}`)...)
	c.finish()
}

// TestFrozenTableChangesMeanwhile: what happens to the table while no daemon runs
// stops the next one; what is the same in the end does not.
func TestFrozenTableChangesMeanwhile(t *testing.T) {
	for _, c := range []struct{ name, change, insert, now string }{
		{"added", "ALTER TABLE t ADD COLUMN more text", "DEFAULT, 'ok', 'x'", "(id int4, m public.mood, more text)"},
		{"dropped", "ALTER TABLE t DROP COLUMN m", "DEFAULT", "(id int4)"},
		{"renamed", "ALTER TABLE t RENAME COLUMN m TO n", "DEFAULT, 'ok'", "(id int4, n public.mood)"},
		{"retyped", "ALTER TABLE t ALTER COLUMN m TYPE varchar(7)", "DEFAULT, 'ok'", "(id int4, m varchar with modifier 11)"},
		{"another key", "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (m, id)", "DEFAULT, 'ok'",
			"its key is (m, id) now, it was (id)"},
		{"dropped and created anew", "DROP TABLE t; CREATE TABLE t (id serial PRIMARY KEY, m text)", "DEFAULT, 'ok'", "(id int4, m text)"},
		{"dropped and created alike", "DROP TABLE t; DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id serial PRIMARY KEY, m mood)", "DEFAULT, 'ok'", ""},
		{"added and dropped", "ALTER TABLE t ADD COLUMN more text; ALTER TABLE t DROP COLUMN more", "DEFAULT, 'ok'", ""},
		{"an enum that grows", "ALTER TYPE mood ADD VALUE 'new'", "DEFAULT, 'new'", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := frozenTable(t, "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id serial PRIMARY KEY, m mood); DROP TABLE content, events; CREATE PUBLICATION p FOR ALL TABLES")
			insert := func(values string) { s.exec("INSERT INTO t VALUES (" + values + ")") }
			first := s.startStreaming()
			insert("DEFAULT, 'ok'")
			s.read(s.cfg.Tables[0].Topic, 1)
			first.finish()
			s.exec(c.change)
			insert(c.insert)
			if c.now != "" {
				err := s.refusal()
				s.refusesShape(err, c.now)
				s.accepting(err)
			}
			second := s.startStreaming()
			insert(c.insert)
			if got := len(s.read(s.cfg.Tables[0].Topic, 3)); got != 3 {
				t.Errorf("%d records, want one of each insert", got)
			}
			second.finish()
		})
	}
}

// TestFrozenTableChangesWithinACommit: one word for the commit is enough, though it
// has rows of the old columns and of the new.
func TestFrozenTableChangesWithinACommit(t *testing.T) {
	s := frozenTable(t, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	s.startStreaming().finish()
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.exec(`BEGIN; INSERT INTO t VALUES (2, 'b'); ALTER TABLE t ADD COLUMN n int DEFAULT 7; INSERT INTO t VALUES (3, 'c', 8);
		ALTER TABLE t ALTER COLUMN n TYPE text; INSERT INTO t VALUES (4, 'd', 'ten'); COMMIT`)
	err := s.refusal()
	s.refusesShape(err, ", change 1: ", "(id int4, v text, n int4) now")
	s.accepting(err)
	c := s.startStreaming()
	want := []string{`{"id":1} {"id":1,"v":"a"}`, `{"id":2} {"id":2,"v":"b"}`, `{"id":3} {"id":3,"v":"c","n":8}`, `{"id":4} {"id":4,"v":"d","n":"ten"}`}
	s.delivered("with the word", want...)
	s.exec("ALTER TABLE t DROP COLUMN n") // one word is for one commit
	s.exec("INSERT INTO t VALUES (5, 'e')")
	s.refusesShape(c.wait(), "has columns (id int4, v text) now, it had (id int4, v text, n text)")
	s.delivered("after it", want...)
}

// TestRefusalKeepsWhatIsComplete: what commits before the refused change is in Kafka
// when the capture stops. It would else stop at the same place for ever: what comes
// again begins with the old columns.
func TestRefusalKeepsWhatIsComplete(t *testing.T) {
	s := frozenTable(t, "CREATE TABLE t (id int PRIMARY KEY)")
	s.cfg.MarkCommits = true
	s.startStreaming().finish()
	for _, sql := range []string{"INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN more text", "INSERT INTO t VALUES (2, 'x')"} {
		s.exec(sql)
	}
	err := s.refusal()
	s.refusesShape(err, "the table has columns (id int4, more text) now")
	s.accepting(err)
	s.delivered("before the word", `{"id":1} {"id":1}`)
	c := s.startStreaming()
	s.delivered("with it", `{"id":1} {"id":1}`, `{"id":2} {"id":2,"more":"x"}`)
	c.finish()
	if marks := s.marks(4); len(marks) != 4 {
		t.Errorf("%d marks, want begin and end of two commits", len(marks))
	}
}

// TestWhatIsRememberedIsOfTheTransaction: a relation is in the position topic exactly
// if a row of it is delivered, and once however often it is announced.
func TestWhatIsRememberedIsOfTheTransaction(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE quiet (id int PRIMARY KEY)", "t", "quiet").plainly()
	for i := range 3 {
		c := s.startStreaming()
		s.exec(fmt.Sprintf("TRUNCATE t; INSERT INTO t VALUES (%d, 'a')", 2*i))
		s.exec(fmt.Sprintf("ALTER TABLE t ADD COLUMN more int; ALTER TABLE t DROP COLUMN more; INSERT INTO t VALUES (%d, 'a')", 2*i+1))
		s.read(s.cfg.Tables[0].Topic, 3*(i+1))
		c.finish()
	}
	c := s.startStreaming()
	s.exec("ALTER TABLE t DROP COLUMN v")
	s.exec("INSERT INTO t VALUES (100)")
	s.read(s.cfg.Tables[0].Topic, 10)
	c.finish()
	var got []string
	for _, r := range s.read(s.cfg.PositionTopic, 3) {
		if table, ok := record.ParseRelationKey(r.Key, s.cfg.Name); ok {
			rel, err := record.ParseRelation(table, r.Value)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(table, rel.Columns, rel.Key))
		}
	}
	want := []string{"public.t [{id int4 23 -1} {v text 25 -1}] [id]", "public.t [{id int4 23 -1}] [id]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

// TestTableIsCreatedAnew while the capture runs, in one transaction and by itself: each
// row has the columns of the table that it was in.
func TestTableIsCreatedAnew(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `DROP TABLE content, events; CREATE TABLE t (id int PRIMARY KEY, v text);
		CREATE PUBLICATION p FOR ALL TABLES`, "t").plainly()
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.exec("BEGIN; INSERT INTO t VALUES (2, 'b'); DROP TABLE t; CREATE TABLE t (name text PRIMARY KEY); INSERT INTO t VALUES ('c'); COMMIT")
	s.exec("DROP TABLE t; CREATE TABLE t (n numeric(4,1), m int)") // at once, or the watch may miss the table
	s.exec("INSERT INTO t VALUES (4, 4)")
	s.delivered("in the end", `{"id":1} {"id":1,"v":"a"}`, `{"id":2} {"id":2,"v":"b"}`, `{"name":"c"} {"name":"c"}`, `{"n":4.0,"m":4}`)
	c.finish()
}

// TestTableIsRenamed: its rows are in the topic of the name that it had. While no
// daemon runs, the next one has to be told of both names.
func TestTableIsRenamed(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	s.startStreaming().finish()
	s.exec("BEGIN; INSERT INTO t VALUES (1); ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (2); COMMIT")
	expect(t, s.refusal(), fault.Usage, "table public.t does not exist")
	before := s.cfg.Tables[0]
	s.cfg.Tables[0].Name.Name, s.cfg.Tables[0].Topic = "u", before.Topic+".u"
	expect(t, s.refusal(), fault.Refused, "the publication sends table public.t, which source.tables does not list", "source.matching")
	s.cfg.Match = func(name schema.TableName) (cdc.Table, bool) { return before, name == before.Name }
	s.cfg.Watch = time.Hour // it would see the next name too
	c := s.startStreaming()
	s.delivered("of the new name", `{"id":2} {"id":2}`)
	s.cfg.Tables[0] = before
	s.delivered("of the old name", `{"id":1} {"id":1}`)
	s.exec("ALTER TABLE u RENAME TO w")
	s.exec("INSERT INTO w VALUES (3)")
	expect(t, c.wait(), fault.Refused, "public.w, which source.tables does not list")
}
