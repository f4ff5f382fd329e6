package cdc_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
)

// summary renders records of one table's topic in commit order.
func summary(t *testing.T, records []*kgo.Record) []string {
	t.Helper()
	var lines []string
	for _, r := range records {
		if r.Value == nil {
			lines = append(lines, fmt.Sprintf("%s tombstone", r.Key))
			continue
		}
		change, err := record.Parse(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %c %s -> %s", r.Key, change.Op, change.Before, change.After))
	}
	return lines
}

func TestCaptureDeliversEveryKindOfChange(t *testing.T) {
	s := newSource(t)
	s.cfg.Partitions = 1 // one order to compare with
	c := s.startStreaming()
	first := s.cfg.Tables[0].Topic
	s.exec("INSERT INTO content VALUES ('a', 'A'), ('b', NULL)")
	s.exec("UPDATE content SET title = 'A2' WHERE id = 'a'")
	s.exec("UPDATE content SET id = 'c' WHERE id = 'b'")
	s.exec("DELETE FROM content WHERE id = 'a'")
	s.exec("BEGIN; INSERT INTO content VALUES ('rolled back'); ROLLBACK")
	s.exec("TRUNCATE content")
	want := []string{
		`{"id":"a"} c  -> {"id":"a","title":"A"}`,
		`{"id":"b"} c  -> {"id":"b","title":null}`,
		`{"id":"a"} u {"id":"a","title":"A"} -> {"id":"a","title":"A2"}`,
		`{"id":"b"} d {"id":"b","title":null} -> `,
		`{"id":"b"} tombstone`,
		`{"id":"c"} c  -> {"id":"c","title":null}`,
		`{"id":"a"} d {"id":"a","title":"A2"} -> `,
		`{"id":"a"} tombstone`,
		` t  -> `,
	}
	if diff := cmp.Diff(want, summary(t, s.read(first, len(want)))); diff != "" {
		t.Errorf("topic %s (-want +got):\n%s", first, diff)
	}
	c.finish()
}

// TestGracefulStopSendsNothingAgain: what Postgres is told last is exactly the
// position.
func TestGracefulStopSendsNothingAgain(t *testing.T) {
	s := newSource(t)
	for round := range 3 {
		c := s.startStreaming()
		s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(%d, %d) i", round*100, round*100+99))
		s.read(s.cfg.Tables[1].Topic, (round+1)*100)
		c.finish()
		if got, want := s.confirmed(), s.position().EndLSN; got != want {
			t.Errorf("round %d: the slot is confirmed to %s, the position is %s", round, got, want)
		}
	}
	for _, topic := range []string{s.cfg.Tables[1].Topic, s.cfg.Pipelines[0].Topic} {
		if got := versions(t, s.read(topic, 300)); got != 300 {
			t.Errorf("topic %s: %d changes, want 300", topic, got)
		}
	}
}

// TestSlotThatFallsBack: a server that crashes forgets confirmations, and sends
// again what Kafka has. A copy of the slot made before the load stands in for it.
func TestSlotThatFallsBack(t *testing.T) {
	s := newSource(t)
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
	s.exec(fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s_old')", s.cfg.Slot, s.cfg.Slot))
	before := s.confirmed()
	s.startStreaming().finishAfter(s, "INSERT INTO events SELECT i, 'c', i FROM generate_series(2, 500) i", 500)
	if s.confirmed() <= before {
		t.Fatalf("the slot did not move from %s", before)
	}
	s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.cfg.Slot))
	s.exec(fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s_old', '%s')", s.cfg.Slot, s.cfg.Slot))
	if got := s.confirmed(); got > before {
		t.Fatalf("the copied slot stands at %s, want at most %s", got, before)
	}
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (501, 'b', 501)", 501)
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 501)); got != 501 {
		t.Errorf("%d changes, want 501", got)
	}
}

// finishAfter runs a statement, awaits the topic of events, and stops.
func (c *capturing) finishAfter(s *source, sql string, want int) {
	c.t.Helper()
	s.exec(sql)
	s.read(s.cfg.Tables[1].Topic, want)
	c.finish()
}

// TestLostWalsender: connections break, the capture does not.
func TestLostWalsender(t *testing.T) {
	s := newSource(t)
	c := s.startStreaming()
	const rounds = 5
	for i := range rounds {
		s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i, i FROM generate_series(%d, %d) i", i*1000, i*1000+999))
		eventually(t, "a walsender to end", func() bool {
			return s.one(fmt.Sprintf(`SELECT count(pg_terminate_backend(active_pid))::text
				FROM pg_replication_slots WHERE slot_name = '%s' AND active`, s.cfg.Slot)) == "1"
		})
	}
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, rounds*1000)); got != rounds*1000 {
		t.Errorf("%d changes, want %d", got, rounds*1000)
	}
	c.finish()
}

// position is the last committed one.
func (s *source) position() schema.Position {
	s.t.Helper()
	all := s.positions()
	return all[len(all)-1]
}

// positions are all that the capture has written, in order.
func (s *source) positions() []schema.Position {
	s.t.Helper()
	var all []schema.Position
	for _, r := range s.read(s.cfg.PositionTopic, 1) {
		if string(r.Key) != s.cfg.Name {
			continue
		}
		p, err := record.ParsePosition(r.Value)
		if err != nil {
			s.t.Fatalf("offset %d: %v", r.Offset, err)
		}
		all = append(all, p)
	}
	return all
}

// TestPositionOnlyMovesForward over everything that the position topic holds.
func TestPositionOnlyMovesForward(t *testing.T) {
	s := newSource(t)
	c := s.startStreaming()
	for i := range 50 {
		s.exec(fmt.Sprintf("INSERT INTO events VALUES (%d, 'c', 1)", i))
	}
	s.read(s.cfg.Tables[1].Topic, 50)
	c.finish()
	var last schema.Position
	for i, p := range s.positions() {
		if p.EndLSN < last.EndLSN || p.Version < last.Version {
			t.Errorf("position %d: %+v after %+v", i, p, last)
		}
		last = p
	}
	if last.EndLSN > s.logEnd() {
		t.Errorf("position %s lies after the end of the log %s", last.EndLSN, s.logEnd())
	}
}

func (s *source) logEnd() schema.LSN {
	s.t.Helper()
	return lsn(s.t, s.one("SELECT pg_current_wal_flush_lsn()::text"))
}
