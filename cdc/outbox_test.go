package cdc_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// createTopic makes a topic with a cleanup policy.
func (s *source) createTopic(name, policy string) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(s.t.Context(), 1, 1, map[string]*string{"cleanup.policy": &policy}, name); err != nil {
		s.t.Fatal(err)
	}
}

// letters reads the dead letters.
func (s *source) letters(want int) []*deadletter.Letter {
	s.t.Helper()
	var list []*deadletter.Letter
	for _, r := range s.read(s.cfg.DeadLetterTopic, want) {
		m := deadletter.Message{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, deadletter.Header(h))
		}
		l, _, err := deadletter.Parse(m)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

// TestBadMessagesStopTheCapture, and after a change of policy it gets past them: each is
// a dead letter, and what else their commits hold is delivered.
func TestBadMessagesStopTheCapture(t *testing.T) {
	s := newSource(t)
	s.cfg.Partitions = 1
	s.cfg.DeadLetterTopic = s.cfg.Name + ".dead"
	s.cfg.Messages.Outbox = []string{s.cfg.Name + ".out*", s.cfg.Tables[0].Topic}
	compacted := s.cfg.Name + ".outcompacted"
	s.createTopic(compacted, "compact")
	topics := []string{"", "not allowed", s.cfg.Name + ".in", s.cfg.Tables[0].Topic, compacted}
	c := s.startStreaming()
	s.exec("INSERT INTO events VALUES (0, 'a', 0)")
	s.read(s.cfg.Tables[1].Topic, 1)
	for i, topic := range topics {
		s.exec(fmt.Sprintf(`BEGIN; INSERT INTO events VALUES (%d, 'a', 1);
			SELECT pg_logical_emit_message(true, 'outbox:%s', 'content %[1]d'); COMMIT`, i+1, topic))
	}
	s.exec(fmt.Sprintf("SELECT pg_logical_emit_message(false, 'outbox:%s:k', 'good')", compacted))
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.Refused, `message "outbox:" at `, "change 1", "kafka.bad_messages: dead-letter")
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1)); n != 1 {
		t.Errorf("%d changes, want none of the commit with the message", n-1)
	}

	s.cfg.Messages.DeadLetters = true
	c = s.startStreaming()
	if got := s.read(compacted, 1); string(got[0].Key) != "k" || string(got[0].Value) != "good" {
		t.Errorf("got %s, %s", got[0].Key, got[0].Value)
	}
	var got []string
	for _, l := range s.letters(len(topics)) {
		got = append(got, fmt.Sprintf("%s %s", l.Topic, l.Record.Value))
		if l.Reason != deadletter.BadMessage || l.Capture != s.cfg.Name || l.LSN == 0 || l.Seq != 1 || l.Error == "" {
			t.Errorf("got %+v", l)
		}
	}
	want := []string{
		"? content 1", "not allowed content 2", s.cfg.Name + ".in content 3", s.cfg.Tables[0].Topic + " content 4", compacted + " content 5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, len(topics)+1)); n != len(topics)+1 {
		t.Errorf("%d changes, want %d", n, len(topics)+1)
	}
	c.finish()
}

// TestBadMessageOfAnySizeGetsPast: its dead letter holds as much of the names as it can.
func TestBadMessageOfAnySizeGetsPast(t *testing.T) {
	s := newSource(t)
	s.cfg.DeadLetterTopic = s.cfg.Name + ".dead"
	s.cfg.Messages.Outbox, s.cfg.Messages.DeadLetters = []string{"outbox.*"}, true
	c := s.startStreaming()
	s.exec("SELECT pg_logical_emit_message(true, 'outbox:' || repeat('é', 1500000) || ':k', 'v'), pg_logical_emit_message(true, 'outbox:other:' || repeat('k', 3000000), 'v')")
	c.finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
	letters := s.read(s.cfg.DeadLetterTopic, 2)
	if len(letters) != 2 {
		t.Errorf("%d dead letters, want 2", len(letters))
	}
	for _, r := range letters {
		if len(r.Value) > 1<<20 {
			t.Errorf("a dead letter of %d bytes", len(r.Value))
		}
	}
}
