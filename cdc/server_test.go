package cdc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// TestLostPublication: from Postgres 18 on a slot whose publication is gone sends
// a warning and leaves the rows out. Without the warning nobody would know.
func TestLostPublication(t *testing.T) {
	s := newSource(t)
	c := s.startStreaming()
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.read(s.cfg.Tables[1].Topic, 1)
	s.exec("DROP PUBLICATION p")
	s.exec("INSERT INTO events VALUES (2, 'a', 2)")
	s.exec("CREATE PUBLICATION p FOR TABLE content, events")
	s.exec("INSERT INTO events VALUES (3, 'a', 3)")
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.PositionLost, "publication", "slot drop "+s.cfg.Slot, "slot create")
	s.refuses(fault.SlotLost, "publication", "slot drop "+s.cfg.Slot) // as often as it is started
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 1)); got != 1 {
		t.Errorf("%d changes in Kafka, want only the one from before", got)
	}
}

// TestIdleStreamLetsTheLogGo: what is written to tables that nobody publishes
// must not be kept for the slot.
func TestIdleStreamLetsTheLogGo(t *testing.T) {
	s := newSource(t)
	s.cfg.Limits.Idle = 100 * time.Millisecond
	c := s.startStreaming()
	s.exec("CREATE TABLE unpublished (v text)")
	s.exec("INSERT INTO unpublished SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
	end := s.logEnd()
	eventually(t, "the slot to pass what was written", func() bool { return s.confirmed() >= end })
	if p := s.position(); p.EndLSN < end {
		t.Errorf("the slot is confirmed to %s, the position in Kafka is %s", s.confirmed(), p.EndLSN)
	}
	c.finish()
}

// TestServerMayShutDown: a fast shutdown waits until every walsender's client has
// confirmed all that it was sent. The capture goes on when the server is back.
func TestServerMayShutDown(t *testing.T) {
	server := stacktest.Postgres(t, nil)
	s := newSourceAt(t, server.DSN())
	c := s.startStreaming()
	s.exec("INSERT INTO events SELECT i, 'a', i FROM generate_series(1, 1000) i")
	s.read(s.cfg.Tables[1].Topic, 1000)
	begun := time.Now()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.db = connect(t, server.DSN())
	s.exec("INSERT INTO events VALUES (1001, 'a', 1)")
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 1001)); got != 1001 {
		t.Errorf("%d changes, want 1001", got)
	}
	c.finish()
}

// TestServerMayCrash loses what the server knew of confirmations since its last
// checkpoint.
func TestServerMayCrash(t *testing.T) {
	server := stacktest.Postgres(t, nil)
	s := newSourceAt(t, server.DSN())
	c := s.startStreaming()
	const rounds = 3
	for i := range rounds {
		s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'a', i FROM generate_series(%d, %d) i", i*1000+1, i*1000+1000))
		s.read(s.cfg.Tables[1].Topic, (i+1)*1000)
		server.Kill()
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.db = connect(t, server.DSN())
	}
	s.exec("INSERT INTO events VALUES (0, 'a', 1)")
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, rounds*1000+1)); got != rounds*1000+1 {
		t.Errorf("%d changes, want %d", got, rounds*1000+1)
	}
	c.finish()
}

func TestRowLargerThanItsTopicTakes(t *testing.T) {
	s := newSource(t)
	c := s.startStreaming()
	s.exec("INSERT INTO content VALUES ('small', 'fits')")
	s.read(s.cfg.Tables[0].Topic, 1)
	s.exec("INSERT INTO content VALUES ('large', repeat('x', 3000000))")
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.Refused, "public.content, commit ", "its record would have 30", "topic "+s.cfg.Tables[0].Topic+" takes 1048588", "max.message.bytes")

	// The fix that the error names.
	s.raiseLimits(8 << 20)
	c = s.startStreaming()
	records := s.read(s.cfg.Tables[0].Topic, 2)
	if got := len(records[len(records)-1].Value); got < 3_000_000 || versions(t, records) != 2 {
		t.Errorf("%d changes, the last of %d bytes", versions(t, records), got)
	}
	c.finish()
}

func (s *source) raiseLimits(bytes int) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	limit := fmt.Sprint(bytes)
	var topics []string
	for _, t := range s.cfg.Tables {
		topics = append(topics, t.Topic)
	}
	topics = append(topics, s.cfg.Pipelines[0].Topic)
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}
	results, err := kadm.NewClient(cl).AlterTopicConfigs(s.t.Context(), alter, topics...)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			s.t.Fatalf("%s: %v %s", r.Name, r.Err, strings.TrimSpace(r.ErrMessage))
		}
	}
}
