package cdc_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
)

// beating makes a capture with a heartbeat topic.
func beating(t *testing.T, every time.Duration) *source {
	s := newSource(t)
	s.cfg.Beats = cdc.Beats{Topic: "__debezium-heartbeat." + s.cfg.Name, Every: every}
	s.cfg.Beats.Format.Schemas = true
	return s
}

// TestBeatsWhileNothingHappens: in one partition, one after the other in time, each
// together with a position; and rows are delivered once in between.
func TestBeatsWhileNothingHappens(t *testing.T) {
	s := beating(t, 50*time.Millisecond)
	c := s.startStreaming()
	s.read(s.cfg.Beats.Topic, 3)
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.read(s.cfg.Tables[1].Topic, 1)
	seen := len(s.read(s.cfg.Beats.Topic, 1))
	records := s.read(s.cfg.Beats.Topic, seen+3)
	c.finish()
	last := int64(0)
	for _, r := range records {
		var key struct{ Payload struct{ ServerName string } }
		var value struct {
			Schema  struct{ Name string }
			Payload struct {
				Millis int64 `json:"ts_ms"`
			}
		}
		if err := json.Unmarshal(r.Key, &key); err != nil || key.Payload.ServerName != s.cfg.Name {
			t.Fatalf("key %s, %v", r.Key, err)
		}
		if err := json.Unmarshal(r.Value, &value); err != nil || value.Schema.Name != "io.debezium.connector.common.Heartbeat" {
			t.Fatalf("value %s, %v", r.Value, err)
		}
		if value.Payload.Millis < last+50 || r.Partition != 0 {
			t.Errorf("a heartbeat at %d in partition %d after one at %d", value.Payload.Millis, r.Partition, last)
		}
		last = value.Payload.Millis
	}
	if n, positions := len(records), len(s.positions()); positions < n {
		t.Errorf("%d positions for %d heartbeats", positions, n)
	}
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1)); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
}

// TestBeatsWhileMuchHappens: a Kafka transaction that ends anyway takes it along, and
// so does each part of a commit that is split.
func TestBeatsWhileMuchHappens(t *testing.T) {
	s := beating(t, time.Nanosecond)
	s.cfg.Limits.SplitRecords = 100
	c := s.startStreaming()
	s.exec("INSERT INTO events SELECT i, 'a', i FROM generate_series(1, 1000) i")
	s.read(s.cfg.Tables[1].Topic, 1000)
	c.finish()
	beats, positions := len(s.read(s.cfg.Beats.Topic, 5)), len(s.positions())
	if want := positions - 1; beats != want { // the first start has written its position before the stream began
		t.Errorf("%d heartbeats in %d Kafka transactions", beats, want)
	}
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1000)); n != 1000 {
		t.Errorf("%d changes, want 1000", n)
	}
}

// TestStopWhileABeatIsInDoubt: the answer to its commit never comes, and the stop is
// graceful all the same.
func TestStopWhileABeatIsInDoubt(t *testing.T) {
	s := beating(t, 300*time.Millisecond)
	wires := newCables(t)
	wires.plug(&s.cfg)
	var stop atomic.Pointer[func()]
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if f := stop.Load(); f != nil && p == cdc.FailEndTxnSent {
			(*f)()
		}
	}
	core, logged := observer.New(zap.WarnLevel)
	c := s.startWith(zap.New(core))
	s.awaitStreaming()
	s.read(s.cfg.Beats.Topic, 1) // it is all that is written
	lose := func() {
		stop.Store(nil)
		c.stop()
		wires.cut()
	}
	stop.Store(&lose)
	if err := c.wait(); err != nil {
		t.Errorf("the stop ended with %v", err)
	}
	if logged.FilterMessageSnippet("a heartbeat is in doubt").Len() != 1 {
		t.Errorf("logged %v, want one warning about the heartbeat", logged.All())
	}
	wires.mend()
	s.cfg.Failpoint = nil
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
}

// TestBeatsAreNoChanges: a topic that holds nothing but them is no sign of a capture
// that has delivered, and may not be a table's.
func TestBeatsAreNoChanges(t *testing.T) {
	s := beating(t, time.Second)
	s.cfg.Beats.Topic = s.cfg.Tables[0].Topic
	if _, err := cdc.New(s.cfg, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "the topic of heartbeats") {
		t.Errorf("got %v, want the clash of topics", err)
	}
}
