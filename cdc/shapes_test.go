package cdc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/record"
)

// newTables is a source with tables of the test's own, each with a topic of one
// partition, and no pipeline.
func newTables(t *testing.T, dsn, ddl string, names ...string) *source {
	t.Helper()
	s := newSourceAt(t, dsn)
	s.cfg.Pipelines, s.cfg.Tables, s.cfg.Partitions = nil, nil, 1
	for i, name := range names {
		s.cfg.Tables = append(s.cfg.Tables, cdc.Table{
			Name: schema.TableName{Schema: "public", Name: name}, Topic: fmt.Sprintf("%stable%d", s.cfg.Name, i),
		})
	}
	s.exec(ddl)
	return s
}

// plainly has all tables rendered as rows alone.
func (s *source) plainly() *source {
	for i := range s.cfg.Tables {
		s.cfg.Tables[i].Format = format.Format{Kind: format.JSON}
	}
	return s
}

// rows renders key and value of records of rows alone, or of tombstones.
func rows(records []*kgo.Record) []string {
	var lines []string
	for _, r := range records {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s", r.Key, r.Value)))
	}
	return lines
}

func TestTableWithoutKeyInFull(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL", "t")
	s.cfg.Tables[0].Format = format.Format{Kind: format.Text}
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'x'), (1, 'x'); UPDATE t SET b = 'y'; DELETE FROM t")
	want := []string{
		` c  -> {"a":1,"b":"x"}`, ` c  -> {"a":1,"b":"x"}`,
		` u {"a":1,"b":"x"} -> {"a":1,"b":"y"}`, ` u {"a":1,"b":"x"} -> {"a":1,"b":"y"}`,
		` d {"a":1,"b":"y"} -> `, ` d {"a":1,"b":"y"} -> `,
	}
	records := s.read(s.cfg.Tables[0].Topic, len(want))
	if diff := cmp.Diff(want, summary(t, records)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for _, r := range records {
		if r.Key != nil {
			t.Errorf("offset %d has key %q", r.Offset, r.Key)
		}
	}
	c.finish()
}

func TestIdentityOfAnIndexIsTheKey(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `
		CREATE TABLE t (a int NOT NULL, note text, b int NOT NULL);
		CREATE UNIQUE INDEX other ON t (note);
		CREATE UNIQUE INDEX mine ON t (b, a);
		ALTER TABLE t REPLICA IDENTITY USING INDEX mine`, "t").plainly()
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'x', 2); UPDATE t SET note = 'y'; UPDATE t SET a = 3; DELETE FROM t")
	want := []string{
		`{"b":2,"a":1} {"a":1,"note":"x","b":2}`,
		`{"b":2,"a":1} {"a":1,"note":"y","b":2}`,
		`{"b":2,"a":1}`, `{"b":2,"a":3} {"a":3,"note":"y","b":2}`,
		`{"b":2,"a":3}`,
	}
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, len(want)))); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestTruncateCascades: a record in every partition of each table that it empties.
func TestTruncateCascades(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `
		CREATE TABLE parent (id int PRIMARY KEY);
		CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
		CREATE TABLE other (id int PRIMARY KEY);
		CREATE TABLE unpublished (id int REFERENCES parent)`, "parent", "child", "other")
	s.cfg.Partitions = 2
	c := s.startStreaming()
	s.exec("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)")
	s.exec("TRUNCATE parent, other CASCADE")
	for i, want := range []int{3, 3, 2} {
		records := s.read(s.cfg.Tables[i].Topic, want)
		truncates, partitions := 0, map[int32]bool{}
		for _, r := range records {
			change, err := record.Parse(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if change.Op == schema.OpTruncate {
				truncates++
				partitions[r.Partition] = true
			}
		}
		if len(records) != want || truncates != 2 || len(partitions) != 2 {
			t.Errorf("%s: %d records, %d truncates in %d partitions, want %d, 2 in 2", s.cfg.Tables[i].Name, len(records), truncates, len(partitions), want)
		}
	}
	c.finish()
}

// TestTwoPhaseCommit: what is prepared is delivered when it commits, once, and
// never when it does not.
func TestTwoPhaseCommit(t *testing.T) {
	server := stacktest.Postgres(t, map[string]string{"max_prepared_transactions": "10"})
	s := newTables(t, server.DSN(), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	c := s.startStreaming()
	s.exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'kept'")
	s.exec("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'dropped'")
	s.exec("INSERT INTO t VALUES (3)")
	want := []string{`{"id":3} {"id":3}`}
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, 1))); diff != "" {
		t.Errorf("before the second phase (-want +got):\n%s", diff)
	}
	c.finish()
	s.exec("ROLLBACK PREPARED 'dropped'")
	s.exec("COMMIT PREPARED 'kept'")
	c = s.startStreaming()
	s.exec("INSERT INTO t VALUES (4)")
	want = append(want, `{"id":1} {"id":1}`, `{"id":4} {"id":4}`)
	if diff := cmp.Diff(want, rows(s.read(s.cfg.Tables[0].Topic, 3))); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestWidestTable has as many columns as Postgres allows.
func TestWidestTable(t *testing.T) {
	const columns = 1600
	var ddl, values []string
	for i := range columns {
		ddl, values = append(ddl, fmt.Sprintf("c%d bool", i)), append(values, "true")
	}
	s := newTables(t, stacktest.Database(t), fmt.Sprintf("CREATE TABLE t (%s, PRIMARY KEY (c0))", strings.Join(ddl, ", ")), "t")
	s.cfg.Tables[0].Format = format.Format{Schemas: true}
	c := s.startStreaming()
	s.exec(fmt.Sprintf("INSERT INTO t VALUES (%s)", strings.Join(values, ", ")))
	s.exec("UPDATE t SET c1599 = NULL")
	s.exec("DELETE FROM t")
	records := s.read(s.cfg.Tables[0].Topic, 4)
	for i, last := range []any{true, nil} {
		var got struct {
			Payload struct{ After map[string]any }
		}
		if err := json.Unmarshal(records[i].Value, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Payload.After) != columns || got.Payload.After["c0"] != true || got.Payload.After["c1599"] != last {
			t.Errorf("record %d: %d columns, c1599 is %v, want %d and %v", i, len(got.Payload.After), got.Payload.After["c1599"], columns, last)
		}
	}
	c.finish()
}

// TestNamesOfAnyKind need quotes in SQL, and escapes in JSON.
func TestNamesOfAnyKind(t *testing.T) {
	const table, key, column = `we"ird.na'me 🐘\`, `k"e.y`, `💧 "x".'y'\n`
	quoted := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	inJSON := func(name string) string { return strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), `"`, `\"`) }
	s := newTables(t, stacktest.Database(t), fmt.Sprintf("CREATE TABLE %s (%s int, %s text, PRIMARY KEY (%[2]s))", quoted(table), quoted(key), quoted(column)), table)
	s.cfg.Tables[0].Format = format.Format{Kind: format.Text}
	c := s.startStreaming()
	s.exec(fmt.Sprintf("INSERT INTO %s VALUES (1, 'x')", quoted(table)))
	s.exec(fmt.Sprintf("UPDATE %s SET %s = 2", quoted(table), quoted(key)))
	records := s.read(s.cfg.Tables[0].Topic, 4)
	want := []string{
		fmt.Sprintf(`{"%[1]s":1} c  -> {"%[1]s":1,"%[2]s":"x"}`, inJSON(key), inJSON(column)),
		fmt.Sprintf(`{"%[1]s":1} d {"%[1]s":1,"%[2]s":null} -> `, inJSON(key), inJSON(column)),
		fmt.Sprintf(`{"%s":1} tombstone`, inJSON(key)),
		fmt.Sprintf(`{"%[1]s":2} c  -> {"%[1]s":2,"%[2]s":"x"}`, inJSON(key), inJSON(column)),
	}
	if diff := cmp.Diff(want, summary(t, records)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var got struct{ Source struct{ Table string } }
	if err := json.Unmarshal(records[0].Value, &got); err != nil || got.Source.Table != table {
		t.Errorf("source names table %q, %v", got.Source.Table, err)
	}
	c.finish()
}
