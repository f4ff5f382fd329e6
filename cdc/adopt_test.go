package cdc_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// matchingLate has the capture take tables whose names begin with late_.
func (s *source) matchingLate() {
	prefix := s.cfg.Name
	s.cfg.Match = func(name schema.TableName) (cdc.Table, bool) {
		return cdc.Table{Topic: prefix + "." + name.Name}, strings.HasPrefix(name.Name, "late_")
	}
}

func ids(t *testing.T, records []*kgo.Record) []int {
	t.Helper()
	var list []int
	for _, r := range records {
		var row struct {
			After struct {
				ID int `json:"id"`
			} `json:"after"`
		}
		if err := json.Unmarshal(r.Value, &row); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		list = append(list, row.After.ID)
	}
	return list
}

// TestTablesMadeUnderLoad: every table of a publication FOR ALL TABLES is captured
// from its first row on, each row once, while tables are made and written at once.
func TestTablesMadeUnderLoad(t *testing.T) {
	const makers, tablesEach, rows = 3, 4, 50
	s := newSource(t)
	s.matchingLate()
	s.exec("CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)")
	c := s.startStreaming()
	var making sync.WaitGroup
	for m := range makers {
		db := connect(t, s.cfg.DSN)
		making.Go(func() {
			for i := range tablesEach {
				name := fmt.Sprintf("late_%d_%d", m, i)
				sql := fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY); INSERT INTO %[1]s SELECT generate_series(1, %d)", name, rows)
				for n := rows + 1; n <= 2*rows; n++ {
					sql += fmt.Sprintf("; COMMIT; INSERT INTO %s VALUES (%d)", name, n)
				}
				if _, err := db.Exec(t.Context(), "BEGIN; "+sql+"; COMMIT"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	making.Wait()
	for m := range makers {
		for i := range tablesEach {
			got := ids(t, s.read(fmt.Sprintf("%s.late_%d_%d", s.cfg.Name, m, i), 2*rows))
			slices.Sort(got)
			if len(got) != 2*rows || len(slices.Compact(got)) != 2*rows {
				t.Errorf("table late_%d_%d: %d records, want each of %d rows once", m, i, len(got), 2*rows)
			}
		}
	}
	s.exec("DROP TABLE late_0_0") // it may go as it came
	c.finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
}

// TestTableAddedUnderLoad: rows are written at full speed while a table comes into
// the publication. From the first row of a writer that is sent, none is missing and
// none comes twice, and whatever began after the statement is sent.
func TestTableAddedUnderLoad(t *testing.T) {
	const writers = 4
	s := newSource(t)
	s.matchingLate()
	s.exec("CREATE TABLE late_come (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE content, events")
	c := s.startStreaming()
	var last [writers]atomic.Int64 // each writer's last committed row
	var stop atomic.Bool
	var writing sync.WaitGroup
	for w := range writers {
		db := connect(t, s.cfg.DSN)
		writing.Go(func() {
			for n := 1; !stop.Load(); n++ {
				if _, err := db.Exec(t.Context(), fmt.Sprintf("INSERT INTO late_come VALUES (%d)", w+n*writers)); err != nil {
					t.Error(err)
					return
				}
				last[w].Store(int64(n))
			}
		})
	}
	reached := func(n [writers]int64) bool {
		for w := range writers {
			if last[w].Load() < n[w] {
				return false
			}
		}
		return true
	}
	eventually(t, "rows before", func() bool { return reached([writers]int64{100, 100, 100, 100}) })
	s.exec("ALTER PUBLICATION p ADD TABLE late_come")
	var due [writers]int64 // each writer's first row that surely began after the statement
	for w := range writers {
		due[w] = last[w].Load() + 2
	}
	eventually(t, "rows after", func() bool {
		more := due
		for w := range writers {
			more[w] += 500
		}
		return reached(more)
	})
	stop.Store(true)
	writing.Wait()
	want := 0
	for w := range writers {
		want += int(last[w].Load() - due[w] + 1)
	}
	var sent [writers][]int64
	for _, id := range ids(t, s.read(s.cfg.Name+".late_come", want)) {
		sent[id%writers] = append(sent[id%writers], int64(id/writers))
	}
	for w := range writers {
		slices.Sort(sent[w])
		first, end := sent[w][0], last[w].Load()
		if first > due[w] || int64(len(sent[w])) != end-first+1 || sent[w][len(sent[w])-1] != end {
			t.Errorf("writer %d: rows %d to %d in %d records, want all of %d or before to %d, each once",
				w, first, sent[w][len(sent[w])-1], len(sent[w]), due[w], end)
		}
	}
	c.finish()
}

// TestAdoptedTablesAreToldOnce: of a table that is new, at the start or while the capture
// runs, and not of it again at every start.
func TestAdoptedTablesAreToldOnce(t *testing.T) {
	s := newSource(t)
	s.matchingLate()
	s.exec("CREATE TABLE late_1 (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)")
	told := func(sql string, topic string, records int) string {
		core, logs := observer.New(zapcore.InfoLevel)
		c := s.startWith(zap.New(core))
		s.awaitStreaming()
		s.exec(sql)
		s.read(s.cfg.Name+topic, records)
		c.finish()
		var tables []string
		for _, entry := range logs.FilterMessage("table is captured from its first change on").All() {
			tables = append(tables, fmt.Sprint(entry.ContextMap()["table"]))
		}
		return strings.Join(tables, " ")
	}
	for _, step := range []struct{ sql, topic, want string }{
		{"INSERT INTO late_1 VALUES (1)", ".late_1", "public.late_1"},
		{"CREATE TABLE late_2 (id int PRIMARY KEY); INSERT INTO late_2 VALUES (1)", ".late_2", "public.late_2"},
		{"INSERT INTO events VALUES (1, 'a', 1)", ".events", ""},
	} {
		if got := told(step.sql, step.topic, 1); got != step.want {
			t.Errorf("%s: told of %q, want %q", step.sql, got, step.want)
		}
	}
}

func TestMatchedTablesThatCannotBe(t *testing.T) {
	t.Run("no publication", func(t *testing.T) {
		s := newSource(t)
		s.matchingLate()
		expect(t, s.refusal(), fault.Usage, "source.publication p", "does not exist", "FOR TABLES IN SCHEMA")
	})
	t.Run("a topic that is taken", func(t *testing.T) {
		s := newSource(t)
		s.cfg.Match = func(schema.TableName) (cdc.Table, bool) { return cdc.Table{Topic: s.cfg.Tables[0].Topic}, true }
		s.exec("CREATE TABLE late_come (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)")
		expect(t, s.refusal(), fault.Usage, "table public.late_come", "is already that of table public.content")
	})
	t.Run("a topic that Kafka does not take, while it runs", func(t *testing.T) {
		s := newSource(t)
		s.cfg.Match = func(schema.TableName) (cdc.Table, bool) { return cdc.Table{Topic: "späte"}, true }
		s.exec("CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)")
		c := s.startStreaming()
		s.exec("CREATE TABLE late_come (id int PRIMARY KEY); INSERT INTO late_come VALUES (1)")
		expect(t, c.wait(), fault.Usage, "table public.late_come", "is not a topic name", "kafka.topics")
	})
}

// TestNoTableYet is no gap: that there is a first start does not depend on what else is in Kafka.
func TestNoTableYet(t *testing.T) {
	other := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	c := other.startStreaming()
	other.exec("INSERT INTO t VALUES (1)")
	other.read(other.cfg.Tables[0].Topic, 1)
	c.finish()
	s := newSource(t)
	s.matchingLate()
	s.cfg.Tables, s.cfg.Pipelines = nil, nil
	s.exec("CREATE PUBLICATION p")
	c = s.startStreaming()
	s.exec("CREATE TABLE late_one (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE late_one")
	s.exec("INSERT INTO late_one VALUES (1)")
	s.read(s.cfg.Name+".late_one", 1)
	c.finish()
}

// TestRulesFollowNoOtherName: a matched table that gets a name without rules is refused, and not
// sent as it is. A rule for a table that nobody publishes is told of.
func TestRulesFollowNoOtherName(t *testing.T) {
	s := newSource(t)
	s.matchingLate()
	match := s.cfg.Match
	s.cfg.Tables, s.cfg.Pipelines = nil, nil
	s.cfg.Match = func(name schema.TableName) (cdc.Table, bool) {
		table, ok := match(name)
		if name.Name == "late_pay" {
			table.Rules.Exclude = []string{"secret"}
		}
		return table, ok
	}
	s.cfg.Ruled = []schema.TableName{{Schema: "public", Name: "late_pay"}, {Schema: "public", Name: "late_payy"}}
	s.cfg.Patterns = []string{"public.late*", "fleet.*"}
	s.exec("CREATE TABLE late_pay (id int PRIMARY KEY, secret text); CREATE PUBLICATION p FOR TABLE late_pay")
	core, logs := observer.New(zap.WarnLevel)
	c := s.startWith(zap.New(core))
	s.awaitStreaming()
	s.exec("INSERT INTO late_pay VALUES (1, 'aha')")
	s.read(s.cfg.Name+".late_pay", 1)
	s.exec("ALTER TABLE late_pay RENAME TO late_paid; INSERT INTO late_paid VALUES (2, 'aha')")
	expect(t, c.wait(), fault.Refused, "table public.late_paid was public.late_pay", "has none of its own", "records.tables.public.late_paid")
	expect(t, s.refusal(), fault.Refused, "table public.late_paid was public.late_pay")
	told := logs.FilterMessageSnippet("rules for a table that is not published").FilterField(zap.Stringer("table", s.cfg.Ruled[1]))
	if told.Len() != 1 {
		t.Errorf("the misspelt name is not told of once: %v", logs.All())
	}
	told = logs.FilterMessageSnippet("pattern that no table of the publication matches")
	if told.Len() != 1 || told.FilterField(zap.String("pattern", "fleet.*")).Len() != 1 {
		t.Errorf("the misspelt pattern is not told of once: %v", logs.All())
	}
}
