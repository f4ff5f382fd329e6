package cdc_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// TestReplayThatDiffers: a commit that is partly in Kafka is sent again as
// something else. It is refused with the word that accepts it, and then delivered
// as a whole.
func TestReplayThatDiffers(t *testing.T) {
	s := newSource(t)
	s.cfg.Limits.SplitRecords, s.cfg.Wait = 100, 5*time.Second
	wires := newCables(t)
	wires.plug(&s.cfg)
	var splits atomic.Int32
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p == cdc.FailSplit && splits.Add(1) == 3 {
			wires.cut()
		}
	}
	c := s.startStreaming()
	const rows = 1000
	s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'a', i FROM generate_series(1, %d) i", rows))
	eventually(t, "the cut within the commit", func() bool { return splits.Load() >= 3 })
	c.stop()
	_ = c.wait() // what it says of the cut does not matter
	eventually(t, "the walsender to have read what was sent before the cut", func() bool {
		return s.one("SELECT count(*)::text FROM pg_replication_slots WHERE active AND slot_name = '"+s.cfg.Slot+"'") == "0"
	})
	half := s.position()
	if half.Open.IsZero() || half.Open.N >= rows {
		t.Fatalf("position %+v, want one within the commit", half)
	}
	s.cfg.Dial, s.cfg.DialKafka, s.cfg.Failpoint = nil, nil, nil
	other := half
	other.Open.Hash = "0123456789abcdef"
	s.writePosition(other)

	s.refuses(fault.Diverged, half.Open.FinalLSN.String(), "--accept diverged@"+s.confirmed().String())
	s.refuses(fault.Diverged, "--accept diverged@"+s.confirmed().String()) // as often as it is tried
	s.cfg.Accept = cdc.Accept{State: fault.Diverged, LSN: s.confirmed()}
	all := int(half.Open.N) + rows + 1 // what Kafka had of the commit is there twice
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (0, 'b', 0)", all)
	last := map[string]bool{}
	for _, r := range s.read(s.cfg.Tables[1].Topic, all) {
		last[string(r.Key)] = true
	}
	if len(last) != rows+1 {
		t.Errorf("%d rows in the topic, want %d", len(last), rows+1)
	}
	if p := s.position(); !p.Open.IsZero() || p.EndLSN <= half.Open.FinalLSN {
		t.Errorf("position %+v, want one beyond the commit", p)
	}
}

// writePosition writes over the position, as nobody but a test does.
func (s *source) writePosition(p schema.Position) {
	s.t.Helper()
	value, err := record.AppendPosition(nil, p)
	if err != nil {
		s.t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	r := &kgo.Record{Topic: s.cfg.PositionTopic, Key: []byte(s.cfg.Name), Value: value}
	if err := cl.ProduceSync(s.t.Context(), r).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}
