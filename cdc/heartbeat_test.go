package cdc_test

import (
	"testing"
	"time"
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
