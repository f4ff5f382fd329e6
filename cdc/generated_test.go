package cdc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/shape"
)

// generatedTable has a stored generated column, and where Postgres has them, a virtual one
// too; sent reports whether it can send the stored one.
func generatedTable(t *testing.T) (s *source, sent bool) {
	t.Helper()
	s = newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)", "t").plainly()
	sent = s.one("SELECT (current_setting('server_version_num')::int >= 180000)::text") == "true"
	if sent {
		s.exec("ALTER TABLE t ADD COLUMN thrice int GENERATED ALWAYS AS (n * 3) VIRTUAL")
	}
	return s, sent
}

// neverSent checks a server that sends no generated column.
func (s *source) neverSent() {
	s.t.Helper()
	s.cfg.Tables[0].Rules.Key = []string{"twice"}
	expect(s.t, s.refusal(), fault.Usage, "records.tables.public.t.key", "column twice of table public.t", "trigger")
	s.cfg.Tables[0].Rules.Key = nil
	s.exec("ALTER TABLE t REPLICA IDENTITY FULL")
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 2); UPDATE t SET n = 3")
	if diff := cmp.Diff([]string{`{"id":1} {"id":1,"n":2}`, `{"id":1} {"id":1,"n":3}`}, rows(s.read(s.cfg.Tables[0].Topic, 2))); diff != "" {
		s.t.Errorf("records (-want +got):\n%s", diff)
	}
	c.finish()
}

// TestGeneratedColumns: the capture's own publication sends the stored one, another
// only if it says so; the virtual one is in no log, and no record makes it up.
func TestGeneratedColumns(t *testing.T) {
	for name, test := range map[string]struct {
		publication string
		want        []string
	}{
		"the capture's own":   {"", []string{`{"id":1} {"id":1,"n":2,"twice":4}`, `{"id":1} {"id":1,"n":3,"twice":6}`, `{"id":1} {"id":1,"n":null,"twice":null}`}},
		"that sends stored":   {"CREATE PUBLICATION p FOR TABLE t WITH (publish_generated_columns = stored)", []string{`{"id":1} {"id":1,"n":2,"twice":4}`, `{"id":1} {"id":1,"n":3,"twice":6}`, `{"id":1} {"id":1,"n":null,"twice":null}`}},
		"with a list of them": {"CREATE PUBLICATION p FOR TABLE t (id, n, twice)", []string{`{"id":1} {"id":1,"n":2,"twice":4}`, `{"id":1} {"id":1,"n":3,"twice":6}`, `{"id":1} {"id":1,"n":null,"twice":null}`}},
		"that sends none":     {"CREATE PUBLICATION p FOR TABLE t", []string{`{"id":1} {"id":1,"n":2}`, `{"id":1} {"id":1,"n":3}`, `{"id":1} {"id":1,"n":null}`}},
		"that says so":        {"CREATE PUBLICATION p FOR TABLE t WITH (publish_generated_columns = none)", []string{`{"id":1} {"id":1,"n":2}`, `{"id":1} {"id":1,"n":3}`, `{"id":1} {"id":1,"n":null}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, sent := generatedTable(t)
			if !sent {
				s.neverSent()
				return
			}
			if test.publication != "" {
				s.exec(test.publication)
			}
			c := s.startStreaming()
			s.exec("INSERT INTO t VALUES (1, 2); UPDATE t SET n = 3; UPDATE t SET n = NULL")
			if diff := cmp.Diff(test.want, rows(s.read(s.cfg.Tables[0].Topic, len(test.want)))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			c.finish()
		})
	}
}

// TestGeneratedColumnsThatAreNotSentAreNotNamed, before anything is created.
func TestGeneratedColumnsThatAreNotSentAreNotNamed(t *testing.T) {
	none := "CREATE PUBLICATION p FOR TABLE t"
	const set = `ALTER PUBLICATION "p" SET (publish_generated_columns = stored)`
	for name, test := range map[string]struct {
		publication string
		rules       shape.Rules
		parts       []string
	}{
		"key":       {none, shape.Rules{Key: []string{"twice"}}, []string{"records.tables.public.t.key", "column twice of table public.t", set}},
		"include":   {none, shape.Rules{Include: []string{"id", "twice"}}, []string{"records.tables.public.t.include", set}},
		"exclude":   {none, shape.Rules{Exclude: []string{"twice"}}, []string{"records.tables.public.t.exclude", set}},
		"partition": {none, shape.Rules{Partition: []string{"twice"}}, []string{"records.tables.public.t.partition", set}},
		"mask":      {none, shape.Rules{Mask: map[string]shape.Mask{"twice": {Salt: []byte("s")}}}, []string{"records.tables.public.t.mask", set}},
		"truncate":  {none, shape.Rules{Truncate: map[string]int{"twice": 1}}, []string{"records.tables.public.t.truncate", set}},
		"virtual": {"", shape.Rules{Include: []string{"id", "thrice"}, Exclude: []string{"thrice"}}, []string{
			"records.tables.public.t.include", "records.tables.public.t.exclude", "column thrice of table public.t is a virtual generated column", "STORED",
		}},
		"a list without it": {"CREATE PUBLICATION p FOR TABLE t (id, n)", shape.Rules{Key: []string{"twice"}}, []string{"add it to the list", set}},
	} {
		t.Run(name, func(t *testing.T) {
			s, sent := generatedTable(t)
			if !sent {
				s.neverSent()
				return
			}
			if test.publication != "" {
				s.exec(test.publication)
			}
			s.cfg.Tables[0].Rules = test.rules
			expect(t, s.refusal(), fault.Usage, test.parts...)
			if slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"); slots != "0" {
				t.Errorf("%s slots were created", slots)
			}
		})
	}
	t.Run("old rows that Postgres could not log", func(t *testing.T) {
		s, sent := generatedTable(t)
		if !sent {
			s.neverSent()
			return
		}
		s.exec("ALTER TABLE t REPLICA IDENTITY FULL")
		expect(t, s.refusal(), fault.Usage, "REPLICA IDENTITY FULL", "column thrice", "DROP COLUMN")
		s.exec("INSERT INTO t VALUES (1, 2); UPDATE t SET n = 3")
		s.exec("ALTER TABLE t DROP COLUMN thrice")
		c := s.startStreaming()
		s.exec("UPDATE t SET n = 4") // which Postgres refuses where the stored column is not published
		if diff := cmp.Diff([]string{`{"id":1} {"id":1,"n":4,"twice":8}`}, rows(s.read(s.cfg.Tables[0].Topic, 1))); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		c.finish()
	})
	t.Run("a publication under which nobody can update", func(t *testing.T) {
		s, sent := generatedTable(t)
		if !sent {
			s.neverSent()
			return
		}
		s.exec("ALTER TABLE t DROP COLUMN thrice; ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t")
		core, logs := observer.New(zap.WarnLevel)
		c := s.startWith(zap.New(core))
		s.awaitStreaming()
		c.finish()
		told := logs.FilterMessage("nobody can update a captured table").All()
		if len(told) != 1 || !strings.Contains(fmt.Sprint(told[0].ContextMap()), "SET (publish_generated_columns = stored)") {
			t.Errorf("the log has %v, want a warning with the statement that mends it", logs.All())
		}
	})
	t.Run("what is sent may be named", func(t *testing.T) {
		s, sent := generatedTable(t)
		if !sent {
			s.neverSent()
			return
		}
		s.cfg.Tables[0] = cdc.Table{
			Name: s.cfg.Tables[0].Name, Topic: s.cfg.Tables[0].Topic, Format: format.Format{Kind: format.JSON},
			Rules: shape.Rules{Key: []string{"twice"}}, Skip: []schema.Op{schema.OpUpdate, schema.OpDelete},
		}
		c := s.startStreaming()
		s.exec("INSERT INTO t VALUES (1, 2)")
		if diff := cmp.Diff([]string{`{"twice":4} {"id":1,"n":2,"twice":4}`}, rows(s.read(s.cfg.Tables[0].Topic, 1))); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		c.finish()
	})
}
