package cdc_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"penstock/cdc"
	"penstock/internal/fault"
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
	expect(t, c.wait(), fault.PositionLost, "slot_lost", "publication", "slot drop "+s.cfg.Slot)
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
	expect(t, c.wait(), fault.Refused, "publication of table events in publication p", "was taken out and put back", "start again")
	s.startStreaming().finish()
}

// TestMatchedTablesMayLeave the publication and the database, and come back as other tables.
func TestMatchedTablesMayLeave(t *testing.T) {
	s := newSource(t)
	s.matchingLate()
	s.cfg.Watch = 20 * time.Millisecond
	var dialled atomic.Int64 // each look is a connection
	s.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
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
}
