package cdc_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// TestStreamedTransactions come before they commit and are delivered when they
// do, without what a savepoint took back, split or not, whatever ends meanwhile.
func TestStreamedTransactions(t *testing.T) {
	server := stacktest.Postgres(t, map[string]string{"logical_decoding_work_mem": "64kB"})
	s := newSourceAt(t, server.DSN())
	s.cfg.Streaming, s.cfg.Spool = true, t.TempDir()
	s.cfg.Limits = cdc.Limits{SplitRecords: 1000}
	c := s.startStreaming()
	s.exec("BEGIN")
	s.exec("INSERT INTO events SELECT i, 'kept', i FROM generate_series(1, 5000) i")
	s.exec("SAVEPOINT a; INSERT INTO events SELECT i, 'taken back', i FROM generate_series(5001, 10000) i; ROLLBACK TO a")
	eventually(t, "the spool to be written", func() bool { return spooled(t, s.cfg.Spool) > 0 })
	other := connect(t, server.DSN())
	if _, err := other.Exec(t.Context(), "INSERT INTO events VALUES (0, 'between', 0)"); err != nil {
		t.Fatal(err)
	}
	if got := len(s.read(s.cfg.Tables[1].Topic, 1)); got != 1 {
		t.Fatalf("%d records before the commit, want the other transaction's", got)
	}
	s.exec("INSERT INTO events SELECT i, 'kept', i FROM generate_series(10001, 12000) i")
	s.exec("COMMIT")
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 7001)); got != 7001 {
		t.Errorf("%d changes, want 7001", got)
	}
	if parts := s.parts(); parts == 0 {
		t.Error("the commit was not split")
	}
	c.finish()
	left, err := os.ReadDir(s.cfg.Spool)
	if err != nil || len(left) != 0 {
		t.Errorf("the spool holds %v, %v after the end", left, err)
	}
}

// TestStreamingMayBeSwitched within a commit: what the server sends again is the
// same either way.
func TestStreamingMayBeSwitched(t *testing.T) {
	const rows = 50_000
	server := stacktest.Postgres(t, map[string]string{"logical_decoding_work_mem": "64kB"})
	s := newSourceAt(t, server.DSN())
	s.cfg.Limits = cdc.Limits{SplitRecords: 1000}
	s.cfg.Wait = 2 * time.Second
	line := &kafkaLine{}
	s.cfg.Client = []kgo.Opt{kgo.Dialer(line.dial)}
	c := s.startStreaming()
	s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(1, %d) i", rows))
	for round := range 4 {
		s.read(s.cfg.Tables[1].Topic, 2000*(round+1))
		line.cut.Store(true)
		if err := c.wait(); fault.KindOf(err) != fault.Unreachable {
			t.Fatalf("got %v, want an end for want of Kafka", err)
		}
		if s.position().Open.IsZero() {
			t.Fatal("the capture did not end within the commit")
		}
		line.cut.Store(false)
		s.cfg.Streaming, s.cfg.Spool = round%2 == 0, t.TempDir()
		c = s.start()
	}
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, rows)); got != rows {
		t.Errorf("%d changes, want %d", got, rows)
	}
	c.finish()
}

// TestHeartbeat moves the slot of a database in which nothing else happens.
func TestHeartbeat(t *testing.T) {
	s := newSource(t)
	s.cfg.Heartbeat = 20 * time.Millisecond
	s.cfg.Limits.Idle = 50 * time.Millisecond
	c := s.startStreaming()
	before := s.confirmed()
	eventually(t, "the slot to move", func() bool { return s.confirmed() > before })
	if confirmed, p := s.confirmed(), s.position(); p.EndLSN < confirmed {
		t.Errorf("the slot is confirmed to %s, the position is %s", confirmed, p.EndLSN)
	}
	c.finish()
}

// spooled is how many bytes lie under a folder.
func spooled(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
