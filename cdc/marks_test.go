package cdc_test

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
)

// TestEveryCommitIsMarked: begin and end with the same id and the right counts, also
// of a commit that a restart parts, and none of a commit without changes of ours.
func TestEveryCommitIsMarked(t *testing.T) {
	s := newSource(t)
	s.cfg.MarkCommits, s.cfg.Limits.SplitRecords = true, 100
	s.cfg.Messages.Topic = s.cfg.Name + ".messages"
	wires := newCables(t)
	wires.plug(&s.cfg)
	var splits atomic.Int32
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p == cdc.FailSplit && splits.Add(1) == 3 {
			wires.cut()
		}
	}
	s.exec("CREATE TABLE unpublished (v text)")
	c := s.startStreaming()
	s.exec("BEGIN; INSERT INTO content VALUES ('a', 'A'); INSERT INTO events VALUES (1, 'a', 1), (2, 'a', 2); COMMIT")
	s.exec("BEGIN; INSERT INTO content VALUES ('b'); ROLLBACK")
	s.exec("INSERT INTO unpublished VALUES ('x')")
	s.exec("SELECT pg_logical_emit_message(false, 'beside', '')")
	s.exec("BEGIN; SELECT pg_logical_emit_message(true, 'within', ''); TRUNCATE content; COMMIT")
	s.exec("INSERT INTO events SELECT i, 'a', i FROM generate_series(1001, 2000) i")
	eventually(t, "the cut within the commit", func() bool { return splits.Load() >= 3 })
	c.stop()
	_ = c.wait() // what it says of the cut does not matter
	if half := s.position(); half.Open.IsZero() {
		t.Fatalf("position %+v, want one within the commit", half)
	}
	s.cfg.Dial, s.cfg.DialKafka, s.cfg.Failpoint = nil, nil, nil
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (3000, 'a', 0)", 1003)

	want := []string{
		"BEGIN", "END 3: public.content 1, public.events 2",
		"BEGIN", "END 2: LOGICAL_DECODING_MESSAGE 1, public.content 1",
		"BEGIN", "END 1000: public.events 1000",
		"BEGIN", "END 1: public.events 1",
	}
	var got []string
	var begun string
	for _, r := range s.read(s.cfg.TransactionTopic, len(want)) {
		var m struct {
			ID string
			mark
		}
		if err := json.Unmarshal(r.Value, &m); err != nil {
			t.Fatal(err)
		}
		line, sep := m.Status, fmt.Sprintf(" %d: ", m.Count)
		for _, table := range m.Tables {
			line += fmt.Sprintf("%s%s %d", sep, table.Table, table.Count)
			sep = ", "
		}
		got = append(got, line)
		if m.Status == "END" && m.ID != begun {
			t.Errorf("the end of %s follows the begin of %s", m.ID, begun)
		}
		begun = m.ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1003)); n != 1003 {
		t.Errorf("%d changes, want 1003", n)
	}
}
