package cdc_test

import (
	"testing"
	"time"

	"penstock/schema"
)

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

// TestHeartbeatOfAnother has an idle capture write down its position long before it
// would by itself, for somebody who waits for it. The messages go nowhere.
func TestHeartbeatOfAnother(t *testing.T) {
	s := newSource(t)
	s.cfg.Limits.Idle = time.Hour
	s.cfg.Messages.Topic = s.cfg.Name + ".messages"
	c := s.startStreaming()
	before := s.logEnd()
	eventually(t, "the position to move", func() bool {
		s.exec("SELECT pg_logical_emit_message(false, '" + schema.HeartbeatPrefix + "', '')")
		positions := s.positions()
		return len(positions) > 0 && positions[len(positions)-1].EndLSN >= before
	})
	s.exec("SELECT pg_logical_emit_message(true, 'last', '')")
	if values := s.read(s.cfg.Messages.Topic, 1); len(values) != 1 {
		t.Errorf("%d messages, want the last alone", len(values))
	}
	c.finish()
}
