package cdc_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// TestTwoPublications: what either of them publishes is delivered, once, also of a
// table that is in both; either alone would leave something out.
func TestTwoPublications(t *testing.T) {
	s := newSource(t)
	prefix := s.cfg.Name
	s.cfg.Pipelines = nil
	s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: schema.TableName{Schema: "public", Name: "shared"}, Topic: prefix + ".shared"})
	s.exec(`CREATE TABLE shared (id int PRIMARY KEY, v text);
		CREATE PUBLICATION "first, of two" FOR TABLE content, shared WHERE (id < 10) WITH (publish = 'insert, update, delete');
		CREATE PUBLICATION second FOR TABLE events, shared WHERE (id > 20);
		CREATE PUBLICATION third FOR TABLE content WITH (publish = 'truncate')`)
	s.cfg.Publications = []string{"first, of two", "second", "third"}
	c := s.startStreaming()
	s.exec("INSERT INTO shared SELECT i, 'x' FROM generate_series(1, 30) i")
	s.exec("INSERT INTO content VALUES ('a', 'A')")
	s.exec("INSERT INTO events VALUES (1, 'a', 1); TRUNCATE content")
	c.finishAfter(s, "DELETE FROM events", 3)
	if got := versions(t, s.read(prefix+".shared", 19)); got != 19 {
		t.Errorf("%d changes of the table that is in both, want the 9 and the 10 that pass a filter", got)
	}
	if got := len(s.read(prefix+".content", 1+3)); got != 1+3 {
		t.Errorf("%d records of content, want the insert and the truncation in each of 3 partitions", got)
	}
}

// TestOneOfTwoPublicationsIsDropped while the capture runs: what only that one
// published is not sent any more, so nothing is that comes after.
func TestOneOfTwoPublicationsIsDropped(t *testing.T) {
	s := newSource(t)
	s.exec("CREATE PUBLICATION a FOR TABLE content; CREATE PUBLICATION b FOR TABLE events")
	s.cfg.Publications, s.cfg.Watch = []string{"a", "b"}, time.Hour
	c := s.startStreaming()
	s.exec("INSERT INTO content VALUES ('a', 'A')")
	s.read(s.cfg.Tables[0].Topic, 1)
	s.exec("DROP PUBLICATION b")
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.exec("INSERT INTO content VALUES ('b', 'B')")
	// The server says so at the first row, unless the watch sees it before.
	if err := c.wait(); fault.KindOf(err) == fault.Refused {
		expect(t, err, fault.Refused, "source.publication b: the publication does not exist", "changed while the capture ran")
	} else {
		expect(t, err, fault.PositionLost, "slot_lost", "publication", "slot drop "+s.cfg.Slot)
	}
	s.exec("CREATE PUBLICATION b FOR TABLE events")
	s.refuses(fault.SlotLost, "publication")
	if got := len(s.read(s.cfg.Tables[0].Topic, 1)); got != 1 {
		t.Errorf("%d records of content, want the one from before", got)
	}
}

func TestPublicationsThatDoNotFitTogether(t *testing.T) {
	for _, test := range []struct {
		name, sql string
		want      []string
	}{
		{"one is missing", "CREATE PUBLICATION a FOR TABLE content, events", []string{"source.publication b", "does not exist", "CREATE PUBLICATION"}},
		{
			"a table is in neither", "CREATE PUBLICATION a FOR TABLE content; CREATE PUBLICATION b FOR TABLE content",
			[]string{"does not publish table public.events"},
		},
		{
			"an operation is in neither",
			"CREATE PUBLICATION a FOR TABLE content, events WITH (publish = 'insert'); CREATE PUBLICATION b FOR TABLE content, events WITH (publish = 'update, delete')",
			[]string{"leaves out some operations of table public.content", "of table public.events"},
		},
		{
			"their column lists differ", "CREATE PUBLICATION a FOR TABLE content, events (id, n); CREATE PUBLICATION b FOR TABLE events",
			[]string{"a and b publish different columns of table public.events", `ALTER PUBLICATION "b" DROP TABLE "public"."events"`},
		},
		{
			"they differ in the name of partitions",
			`DROP TABLE content; CREATE TABLE content (id text PRIMARY KEY) PARTITION BY LIST (id); CREATE PUBLICATION a FOR TABLE content
				WITH (publish_via_partition_root); CREATE PUBLICATION b FOR TABLE events`,
			[]string{"a and b differ in publish_via_partition_root", "SET (publish_via_partition_root = true)"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSource(t)
			s.cfg.Publications, s.cfg.Pipelines = []string{"a", "b"}, nil
			s.exec(test.sql)
			expect(t, s.refusal(), fault.Usage, test.want...)
		})
	}
}

// TestATableThatIsOutOfThePublicationForAWhile: when the watch looks again all is
// published as before, but what was written meanwhile was not sent.
func TestATableThatIsOutOfThePublicationForAWhile(t *testing.T) {
	s := newSource(t)
	s.cfg.Watch = 50 * time.Millisecond
	c := s.startStreaming()
	eventually(t, "an end", func() bool {
		s.exec("BEGIN; ALTER PUBLICATION p DROP TABLE events; ALTER PUBLICATION p ADD TABLE events; COMMIT")
		select {
		case err := <-c.done:
			c.done <- err
			return true
		default:
			return false
		}
	})
	expect(t, c.wait(), fault.Refused, "table public.events in publication p", "was taken out and put back", "start again")
	s.refuses(fault.GapDetected, "table public.events in publication p was taken out and put back", "--accept gap_detected@")
}

// TestWhatLeavesAPublicationWhileNobodyLooks is found at the next start, by what the position
// topic remembers, also by a capture that has never delivered anything. The operator's word
// holds for this one time, and nothing is sent again because of it.
func TestWhatLeavesAPublicationWhileNobodyLooks(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	const reason = "table public.t in publication p was taken out and put back"
	leaves := func(missed, sent int) {
		for _, sql := range []string{"DROP TABLE t", fmt.Sprintf("INSERT INTO t VALUES (%d)", missed), "ADD TABLE t", fmt.Sprintf("INSERT INTO t VALUES (%d)", sent)} {
			if !strings.HasPrefix(sql, "INSERT") {
				sql = "ALTER PUBLICATION p " + sql
			}
			s.exec(sql)
		}
		s.refuses(fault.GapDetected, reason, "not sent")
		s.refuses(fault.GapDetected, reason)
		s.cfg.Accept = cdc.Accept{State: fault.GapDetected, LSN: s.confirmed()}
	}
	s.startStreaming().finishAt(s)
	leaves(1, 2)
	c := s.startStreaming()
	s.delivered("with the word", `{"id":2} {"id":2}`)
	c.finish()
	s.cfg.Accept = cdc.Accept{}
	c = s.startStreaming()
	s.exec("INSERT INTO t VALUES (3)")
	s.delivered("without it", `{"id":2} {"id":2}`, `{"id":3} {"id":3}`)
	c.finish()
	leaves(4, 5)
	c = s.startStreaming()
	s.delivered("with another word", `{"id":2} {"id":2}`, `{"id":3} {"id":3}`, `{"id":5} {"id":5}`)
	c.finish()
}

// TestAPublicationMadeAnewWhileNobodyLooks misses nothing that the server would not refuse
// to decode, so that there is nothing to ask the operator.
func TestAPublicationMadeAnewWhileNobodyLooks(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	s.startStreaming().finishAt(s)
	s.exec("INSERT INTO t VALUES (1)")
	s.exec("BEGIN; DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE t; COMMIT")
	s.exec("INSERT INTO t VALUES (2)")
	c := s.startStreaming()
	s.delivered("before and after", `{"id":1} {"id":1}`, `{"id":2} {"id":2}`)
	c.finish()
}

// looks counts connections to Postgres: each look of the watch is one.
func (s *source) looks() *atomic.Int64 {
	var dialled atomic.Int64
	s.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &dialled
}

// TestMatchedTablesMayLeave the publication and the database, and come back as other tables.
func TestMatchedTablesMayLeave(t *testing.T) {
	s := newSource(t)
	s.matchingLate()
	s.cfg.Watch = 20 * time.Millisecond
	dialled := s.looks()
	s.exec("CREATE TABLE late_come (id int PRIMARY KEY); CREATE TABLE late_go (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE content, events, late_come, late_go")
	c := s.startStreaming()
	for _, sql := range []string{
		"DROP TABLE late_come", "ALTER PUBLICATION p DROP TABLE late_go", "CREATE TABLE late_come (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE late_come",
	} {
		s.exec(sql)
		before := dialled.Load()
		eventually(t, "two more looks", func() bool { return dialled.Load() >= before+3 })
	}
	s.exec("INSERT INTO late_come VALUES (1)")
	s.read(s.cfg.Name+".late_come", 1)
	c.finish()
	c = s.startStreaming() // refuses nothing that went on while running
	s.exec("INSERT INTO late_come VALUES (2)")
	s.read(s.cfg.Name+".late_come", 2)
	// What was written to one that comes back was not sent, however long it was out.
	s.exec("ALTER PUBLICATION p ADD TABLE late_go")
	expect(t, c.wait(), fault.Refused, "table public.late_go in publication p", "was taken out and put back")
	s.refuses(fault.GapDetected, "table public.late_go in publication p was taken out and put back")
}

// TestAPublicationThatIsAltered between two looks may have left out an operation.
func TestAPublicationThatIsAltered(t *testing.T) {
	s := newSource(t)
	s.cfg.Watch = 20 * time.Millisecond
	c := s.startStreaming()
	s.read(s.cfg.PositionTopic, 1) // it has looked
	s.exec("BEGIN; ALTER PUBLICATION p SET (publish = 'insert'); ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate'); COMMIT")
	expect(t, c.wait(), fault.Refused, "publication p", "was altered between two looks")
	c = s.startStreaming()
	s.exec("INSERT INTO content VALUES ('a', 'A')")
	s.read(s.cfg.Tables[0].Topic, 1)
	c.finish()
}

// TestMatchedTablesMayLeaveWithTheirSchema, seen by the running capture or by the next start.
func TestMatchedTablesMayLeaveWithTheirSchema(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) {
			s := newSource(t)
			prefix := s.cfg.Name
			s.cfg.Match = func(name schema.TableName) (cdc.Table, bool) {
				return cdc.Table{Topic: prefix + "." + name.Name}, name.Schema == "tenant"
			}
			s.cfg.Watch = 20 * time.Millisecond
			looks := s.looks()
			s.exec("CREATE SCHEMA tenant; CREATE TABLE tenant.orders (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE content, events, TABLES IN SCHEMA tenant")
			c := s.startStreaming()
			s.exec("INSERT INTO tenant.orders VALUES (1)")
			s.read(prefix+".orders", 1)
			if !running {
				c.finish()
			}
			s.exec("DROP SCHEMA tenant CASCADE")
			if !running {
				c = s.startStreaming()
			}
			before := looks.Load()
			eventually(t, "two more looks", func() bool { return looks.Load() >= before+3 })
			s.exec("INSERT INTO content VALUES ('a', 'A')")
			s.read(s.cfg.Tables[0].Topic, 1)
			c.finish()
		})
	}
}

// TestEveryTableThatLeavesIsNamed at once.
func TestEveryTableThatLeavesIsNamed(t *testing.T) {
	s := newSource(t)
	s.cfg.Watch = 50 * time.Millisecond
	s.exec("CREATE TABLE more (id int PRIMARY KEY)")
	s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: schema.TableName{Schema: "public", Name: "more"}, Topic: s.cfg.Name + ".more"})
	c := s.startStreaming()
	s.exec("ALTER PUBLICATION p DROP TABLE events, content")
	expect(t, c.wait(), fault.Refused, "does not publish table public.events", "does not publish table public.content")
}

// TestADroppedPublicationIsToldWhateverTheRoleHears: where the server only warns of it, nobody may
// have turned warnings off.
func TestADroppedPublicationIsToldWhateverTheRoleHears(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY)", "t").plainly()
	s.exec("ALTER DATABASE " + s.one("SELECT quote_ident(current_database())") + " SET client_min_messages = 'error'")
	s.startStreaming().finishAt(s)
	for _, sql := range []string{"DROP PUBLICATION p", "INSERT INTO t VALUES (1)", "CREATE PUBLICATION p FOR TABLE t", "INSERT INTO t VALUES (2)"} {
		s.exec(sql)
	}
	s.refuses(fault.SlotLost, "publication")
}
