package sink

import (
	"maps"
	"testing"
	"time"

	"penstock/schema/deadletter"
)

// TestALetterCountsOnce: one that lay there before, as after a replay, is not another.
func TestALetterCountsOnce(t *testing.T) {
	m := &meter{}
	if len(m.written()) != 0 {
		t.Errorf("at first: %v", m.written())
	}
	m.write([]posted{{reason: deadletter.Waits}, {reason: deadletter.Refused}, {reason: deadletter.Waits, filed: &Filed{}}})
	m.write([]posted{{reason: deadletter.Waits}})
	first := m.written()
	if want := map[deadletter.Reason]int64{deadletter.Waits: 2, deadletter.Refused: 1}; !maps.Equal(first, want) {
		t.Errorf("got %v, want %v", first, want)
	}
	m.write([]posted{{reason: deadletter.Refused}})
	if first[deadletter.Refused] != 1 {
		t.Error("what was handed out changes")
	}
}

// TestASinkSaysWhenItMoved, and nothing before.
func TestASinkSaysWhenItMoved(t *testing.T) {
	s := &Sink{}
	if at := s.Stats().Moved; !at.IsZero() {
		t.Errorf("at first: %s", at)
	}
	before := time.Now()
	s.meter.move()
	if at := s.Stats().Moved; at.Before(before) || at.After(time.Now()) {
		t.Errorf("it moved at %s", at)
	}
}
