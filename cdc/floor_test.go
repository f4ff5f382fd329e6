package cdc_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/schema/record"
)

// newest is the newest version in a topic that holds n records with one.
func (s *source) newest(topic string, n int) int64 {
	s.t.Helper()
	newest := int64(0)
	for _, r := range s.read(topic, n) {
		for _, h := range r.Headers {
			if h.Key != record.HeaderVersion {
				continue
			}
			version, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			newest = max(newest, version)
		}
	}
	return newest
}

func (s *source) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

// litter writes n records without a version behind all that the data topics hold, and
// aborts them if they are to have no effect at all.
func (s *source) litter(n int, aborted bool) {
	s.t.Helper()
	var opts []kgo.Opt
	if aborted {
		opts = append(opts, kgo.TransactionalID(s.cfg.Name+"-litter"))
	}
	cl := s.client(opts...)
	if aborted {
		if err := cl.BeginTransaction(); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, topic := range []string{s.cfg.Tables[0].Topic, s.cfg.Tables[1].Topic, s.cfg.Pipelines[0].Topic} {
		for i := range int32(n) {
			if err := cl.ProduceSync(s.t.Context(), &kgo.Record{Topic: topic, Partition: i % s.cfg.Partitions}).FirstErr(); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if aborted {
		if err := cl.EndTransaction(s.t.Context(), kgo.TryAbort); err != nil {
			s.t.Fatal(err)
		}
	}
}

// losePosition deletes the topic that holds it.
func (s *source) losePosition() {
	s.t.Helper()
	admin := kadm.NewClient(s.client())
	if _, err := admin.DeleteTopic(s.t.Context(), s.cfg.PositionTopic); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "the end of the topic", func() bool {
		listed, err := admin.ListTopics(s.t.Context())
		return err == nil && !listed.Has(s.cfg.PositionTopic)
	})
}

// TestVersionsGoOnWithoutAPosition: although the server's clock is an hour behind what
// Kafka holds, each change has a newer version than all before it, also when the
// position is lost.
func TestVersionsGoOnWithoutAPosition(t *testing.T) {
	for _, c := range []struct {
		name   string
		litter func(*source)
		seen   int // of it, in each topic
	}{
		{"the records are the last", func(*source) {}, 0},
		{"aborted ones are behind them", func(s *source) { s.litter(3*100, true) }, 0},
		{"a few of somebody else's are behind them", func(s *source) { s.litter(3*10, false) }, 3 * 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t)
			s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (0, 'a', 0)", 1)
			ahead := s.position()
			ahead.Version = time.Now().Add(time.Hour).UnixMicro()
			s.writePosition(ahead)
			s.startStreaming().finishAfter(s, "INSERT INTO events SELECT i, i, i FROM generate_series(1, 20) i", 21)
			before := s.newest(s.cfg.Tables[1].Topic, 21)
			if before <= ahead.Version {
				t.Fatalf("the newest version is %d, want one above %d", before, ahead.Version)
			}
			c.litter(s)
			s.losePosition()
			s.refuses(fault.GapDetected, "there is no position")
			s.cfg.Accept = cdc.Accept{State: fault.GapDetected, LSN: s.confirmed()}
			run := s.startStreaming()
			s.exec("INSERT INTO content VALUES ('a', 'A')")
			if after := s.newest(s.cfg.Tables[0].Topic, c.seen+1); after <= before {
				t.Errorf("the next version is %d, want one above %d", after, before)
			}
			run.finish()
		})
	}
}
