package cdc_test

import (
	"fmt"
	"testing"
	"time"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// TestStreamingMayBeSwitched within a commit: what the server sends again is the
// same either way.
func TestStreamingMayBeSwitched(t *testing.T) {
	const rows = 50_000
	server := stacktest.Postgres(t, map[string]string{"logical_decoding_work_mem": "64kB"})
	s := newSourceAt(t, server.DSN())
	s.cfg.Limits = cdc.Limits{SplitRecords: 1000}
	s.cfg.Wait = 2 * time.Second
	line := &kafkaLine{}
	s.cfg.DialKafka = line.dial
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
