package cdc_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// newStreamingSource is a source whose server streams what exceeds 64 kB.
func newStreamingSource(t *testing.T) *source {
	t.Helper()
	dsn, err := url.Parse(stacktest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	query := dsn.Query()
	query.Set("options", "-clogical_decoding_work_mem=64kB")
	dsn.RawQuery = query.Encode()
	s := newSourceAt(t, dsn.String())
	s.cfg.Streaming, s.cfg.Spool, s.cfg.Partitions = true, t.TempDir(), 1
	return s
}

// spooled reports whether a transaction waits on disk for its commit.
func (s *source) spooled() bool {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.cfg.Spool, "*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(files) > 0
}

// insertEvents is a statement; enough rows of it are streamed.
func insertEvents(from, to int) string {
	return fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(%d, %d) i", from, to)
}

// keys returns the keys of records, in their order.
func keys(records []*kgo.Record) []string {
	var got []string
	for _, r := range records {
		got = append(got, string(r.Key))
	}
	return got
}

// keysOf returns the keys of ranges of events.
func keysOf(ranges ...[2]int) []string {
	var want []string
	for _, r := range ranges {
		for id := r[0]; id <= r[1]; id++ {
			want = append(want, fmt.Sprintf(`{"id":%d}`, id))
		}
	}
	return want
}

// TestStreamedTransactionsAreDeliveredAtTheirCommit, and what is rolled back never.
func TestStreamedTransactionsAreDeliveredAtTheirCommit(t *testing.T) {
	s := newStreamingSource(t)
	topic := s.cfg.Tables[1].Topic
	c := s.startStreaming()
	other := connect(t, s.cfg.DSN)

	s.exec("BEGIN")
	s.exec(insertEvents(1, 2000))
	s.exec("SAVEPOINT a")
	s.exec(insertEvents(2001, 4000))
	eventually(t, "the transaction is streamed", s.spooled)
	if _, err := other.Exec(t.Context(), insertEvents(9001, 9001)); err != nil {
		t.Fatal(err)
	}
	want := keysOf([2]int{9001, 9001})
	if diff := cmp.Diff(want, keys(s.read(topic, 1))); diff != "" {
		t.Fatalf("before the commit (-want +got):\n%s", diff)
	}
	s.exec("ROLLBACK TO a")
	s.exec(insertEvents(4001, 6000))
	s.exec("COMMIT")
	want = append(want, keysOf([2]int{1, 2000}, [2]int{4001, 6000})...)
	records := s.read(topic, len(want))
	if diff := cmp.Diff(want, keys(records)); diff != "" {
		t.Fatalf("after the commit (-want +got):\n%s", diff)
	}

	s.exec("BEGIN")
	s.exec(insertEvents(7000, 9000))
	eventually(t, "the transaction is streamed", s.spooled)
	s.exec("ROLLBACK")
	s.exec(insertEvents(9002, 9002))
	want = append(want, keysOf([2]int{9002, 9002})...)
	records = s.read(topic, len(want))
	if diff := cmp.Diff(want, keys(records)); diff != "" || versions(t, records) != len(want) {
		t.Errorf("after the rollback, %d versions (-want +got):\n%s", versions(t, records), diff)
	}
	if s.spooled() {
		t.Error("what was rolled back is still on disk")
	}
	c.finish()
	if left, err := os.ReadDir(s.cfg.Spool); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, error %v", len(left), err)
	}
}

// TestStreamedTransactionIsSentAgain when the connection was lost in its middle:
// the spool forgets, the server does not.
func TestStreamedTransactionIsSentAgain(t *testing.T) {
	s := newStreamingSource(t)
	topic := s.cfg.Tables[1].Topic
	c := s.startStreaming()
	other := connect(t, s.cfg.DSN)
	s.exec("BEGIN")
	const rounds = 3
	var want []string
	for round := range rounds {
		s.exec(insertEvents(round*2000+1, round*2000+2000))
		eventually(t, "the transaction is streamed", s.spooled)
		// A position moves past the transaction's first rows.
		if _, err := other.Exec(t.Context(), insertEvents(9001+round, 9001+round)); err != nil {
			t.Fatal(err)
		}
		want = append(want, keysOf([2]int{9001 + round, 9001 + round})...)
		s.read(topic, len(want))
		eventually(t, "a walsender to end", func() bool {
			var ended int
			err := other.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(active_pid))
				FROM pg_replication_slots WHERE slot_name = $1 AND active`, s.cfg.Slot).Scan(&ended)
			if err != nil {
				t.Fatal(err)
			}
			return ended == 1
		})
	}
	s.exec("COMMIT")
	want = append(want, keysOf([2]int{1, rounds * 2000})...)
	records := s.read(topic, len(want))
	if diff := cmp.Diff(want, keys(records)); diff != "" || versions(t, records) != len(want) {
		t.Errorf("%d versions (-want +got):\n%s", versions(t, records), diff)
	}
	c.finish()
}

// TestSpoolThatCannotBe ends the capture with the directory's name.
func TestSpoolThatCannotBe(t *testing.T) {
	s := newStreamingSource(t)
	s.cfg.Spool = filepath.Join(s.cfg.Spool, "file")
	if err := os.WriteFile(s.cfg.Spool, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, s.refusal(), fault.Usage, "spool directory "+s.cfg.Spool, "may write to")
}
