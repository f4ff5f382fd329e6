package cdc_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMessagesArriveOnce, of both kinds and for both kinds of topics, over a restart
// for which the slot falls back, so that the server sends all of them again.
func TestMessagesArriveOnce(t *testing.T) {
	s := newSource(t)
	s.cfg.Partitions, s.cfg.Heartbeat = 1, 50*time.Millisecond
	s.cfg.Messages.Topic = s.cfg.Name + ".messages"
	outbox := s.cfg.Name + ".outbox"
	s.cfg.Messages.Outbox = []string{s.cfg.Name + ".out*"}
	emit := func(round string) {
		s.exec(fmt.Sprintf("SELECT pg_logical_emit_message(false, 'beside', '%s')", round))
		s.exec(fmt.Sprintf(`BEGIN; SELECT pg_logical_emit_message(true, 'within', '%[1]s'); INSERT INTO events VALUES (%[1]s, 'a', 1);
			SELECT pg_logical_emit_message(true, 'outbox:%[2]s:k%[1]s', '{"round": %[1]s}'); COMMIT`, round, outbox))
		s.exec(fmt.Sprintf(`SELECT pg_logical_emit_message(false, 'outbox:%s:', '\x00ff'::bytea)`, outbox))
		s.exec("BEGIN; SELECT pg_logical_emit_message(true, 'rolled back', ''); ROLLBACK")
	}
	c := s.startStreaming()
	s.exec(fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s_old')", s.cfg.Slot, s.cfg.Slot))
	emit("1")
	s.read(outbox, 2)
	c.finish()
	s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.cfg.Slot))
	s.exec(fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s_old', '%s')", s.cfg.Slot, s.cfg.Slot))
	emit("2")
	c = s.startStreaming()
	emit("3")

	var got []string
	for _, r := range s.read(outbox, 6) {
		got = append(got, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	want := []string{`k1={"round": 1}`, "=\x00\xff", `k2={"round": 2}`, "=\x00\xff", `k3={"round": 3}`, "=\x00\xff"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
	var messages []string
	for _, r := range s.read(s.cfg.Messages.Topic, 6) {
		var m struct {
			Message struct{ Prefix, Content string }
		}
		if err := json.Unmarshal(r.Value, &m); err != nil || string(r.Key) != `{"prefix":"`+m.Message.Prefix+`"}` {
			t.Fatalf("%s: %s, %v", r.Key, r.Value, err)
		}
		messages = append(messages, m.Message.Prefix+" "+m.Message.Content)
	}
	want = []string{"beside MQ==", "within MQ==", "beside Mg==", "within Mg==", "beside Mw==", "within Mw=="}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	records := slices.Concat(s.read(outbox, 6), s.read(s.cfg.Messages.Topic, 6), s.read(s.cfg.Tables[1].Topic, 3))
	if n := versions(t, records); n != 15 {
		t.Errorf("%d versions, want 15, each its own", n)
	}
	c.finish()
}
