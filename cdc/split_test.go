package cdc_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
)

// mark is what a reader of the transaction topic sees.
type mark struct {
	Status string `json:"status"`
	Count  uint64 `json:"event_count"`
	Tables []struct {
		Table string `json:"data_collection"`
		Count uint64 `json:"event_count"`
	} `json:"data_collections"`
}

func (s *source) marks(want int) []mark {
	s.t.Helper()
	var list []mark
	for _, r := range s.read(s.cfg.TransactionTopic, want) {
		var m mark
		if err := json.Unmarshal(r.Value, &m); err != nil {
			s.t.Fatalf("offset %d: %v", r.Offset, err)
		}
		list = append(list, m)
	}
	return list
}

// parts counts the positions that lie within a commit.
func (s *source) parts() int {
	s.t.Helper()
	n := 0
	for _, p := range s.positions() {
		if !p.Open.IsZero() {
			n++
		}
	}
	return n
}

// TestLargeCommitIsSplit: small commits before and after it share no mark, its
// own begin and end say what it holds, and each row comes once.
func TestLargeCommitIsSplit(t *testing.T) {
	s := newSource(t)
	s.cfg.Limits = cdc.Limits{SplitRecords: 2000} // each row is two records: table topic and pipeline
	c := s.startStreaming()
	s.exec("INSERT INTO events VALUES (-1, 'a', 1)")
	s.exec(`BEGIN; INSERT INTO content SELECT i, i FROM generate_series(1, 10) i;
		INSERT INTO events SELECT i, 'c' || i % 7, i FROM generate_series(1, 4990) i; COMMIT`)
	s.exec("INSERT INTO events VALUES (-2, 'a', 1)")
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 4992)); got != 4992 {
		t.Errorf("%d changes, want 4992", got)
	}
	c.finish()
	want := []mark{{Status: "BEGIN"}, {Status: "END", Count: 5000}}
	marks := s.marks(2)
	tables := marks[1].Tables
	marks[1].Tables = nil
	if diff := cmp.Diff(want, marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(tables); got != "[{public.content 10} {public.events 4990}]" {
		t.Errorf("the end mark counts %s", got)
	}
	if got := s.parts(); got != 4 {
		t.Errorf("%d positions within the commit, want 4 for parts of 1001 rows", got)
	}
	if got, want := s.confirmed(), s.position().EndLSN; got != want {
		t.Errorf("the slot is confirmed to %s, the position is %s", got, want)
	}
}

// TestSplitCommitGoesOn with the first row that Kafka does not have, however
// often the walsender ends within it.
func TestSplitCommitGoesOn(t *testing.T) {
	const rows, cuts = 60_000, 5
	s := newSource(t)
	s.cfg.Limits = cdc.Limits{SplitRecords: 1000}
	c := s.startStreaming()
	before := s.confirmed()
	s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(1, %d) i", rows))
	within := 0
	for cut := range cuts {
		s.read(s.cfg.Tables[1].Topic, 1000*(cut+1))
		if s.one(fmt.Sprintf(`SELECT count(pg_terminate_backend(active_pid))::text FROM pg_replication_slots
			WHERE slot_name = '%s' AND active AND confirmed_flush_lsn = '%s'`, s.cfg.Slot, before)) == "1" {
			within++
		}
	}
	if within == 0 {
		t.Fatal("no walsender was ended within the commit")
	}
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, rows)); got != rows {
		t.Errorf("%d changes, want %d", got, rows)
	}
	c.finish()
	if marks := s.marks(2); len(marks) != 2 || marks[1].Count != rows {
		t.Errorf("marks %+v, want one begin and one end of %d", marks, rows)
	}
	t.Logf("%d walsenders ended within the commit, %d positions in it", within, s.parts())
}
