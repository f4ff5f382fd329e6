package cdc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"penstock/internal/fault"
)

// takeOver is how soon a daemon that stands by has to deliver after the holder's end.
const takeOver = 5 * time.Second

func TestSlotInUseIsRefusedWithoutStandby(t *testing.T) {
	s := newSource(t)
	s.startStreaming()
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.read(s.cfg.Tables[1].Topic, 1)
	second := *s
	second.cfg.Wait, second.cfg.NoStandby = time.Second, true
	expect(t, second.refusal(), fault.Refused, "source.slot", "in use by pid", "slot list")

	// The holder was not fenced by the one that waited.
	s.exec("INSERT INTO events VALUES (2, 'a', 2)")
	if got := versions(t, s.read(s.cfg.Tables[1].Topic, 2)); got != 2 {
		t.Errorf("%d changes, want 2", got)
	}
}

// TestTwoStartAtOnce for the first time: each finds neither slot nor publication.
func TestTwoStartAtOnce(t *testing.T) {
	s := newSource(t)
	var logs [3]standbyLog
	var captures []*capturing
	for i := range logs {
		captures = append(captures, s.startLogging(&logs[i]))
	}
	for i := range logs { // until then it may start again, as a topic that is new has no leader yet
		eventually(t, "each to stream or to stand by", func() bool { return logs[i].count("streaming")+logs[i].count("standing by") > 0 })
	}
	s.awaitStreaming()
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1)); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	for _, c := range captures {
		c.finish()
	}
}

// TestStandby waits for longer than Config.Wait, fences nobody meanwhile, and
// takes over when the holder's connections are gone as after a kill -9: some of
// them in the middle of a transaction.
func TestStandby(t *testing.T) {
	s := newSource(t)
	first := newCables(t)
	holder := *s
	first.plug(&holder.cfg)
	logs := standbyLog{}
	h := holder.startStreaming()
	s.cfg.Wait = 2 * time.Second
	standby := s.startLogging(&logs)
	eventually(t, "the second to say that it stands by", func() bool { return logs.count("standing by") == 1 })
	line := logs.last("standing by")
	for _, want := range []string{"application=penstock", "client=127.0.0.1:", "pid="} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	const rows = 4000
	for i := range 40 { // 3 s and more: longer than Wait
		s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(%d, %d) i", i*100, i*100+99))
		<-time.After(75 * time.Millisecond)
	}
	if n := logs.count("standing by"); n != 1 {
		t.Errorf("%d lines say that it stands by, want 1", n)
	}
	s.exec(fmt.Sprintf("INSERT INTO events SELECT i, 'c' || i %% 7, i FROM generate_series(%d, %d) i", rows, rows+20_000-1))
	first.cut() // in the middle of these
	begun := time.Now()
	s.exec("INSERT INTO events VALUES (-1, 'last', 0)")
	got := s.read(s.cfg.Tables[1].Topic, rows+20_000+1)
	if took := time.Since(begun); took > takeOver {
		t.Errorf("taken over after %s, want at most %s", took, takeOver)
	} else {
		t.Logf("taken over after %s", took)
	}
	if n := versions(t, got); n != rows+20_000+1 {
		t.Errorf("%d changes, want %d", n, rows+20_000+1)
	}
	first.mend()
	expect(t, h.wait(), fault.Refused, "another daemon has taken over", "pid ")
	s.exec("INSERT INTO events VALUES (-2, 'after', 0)")
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, rows+20_000+2)); n != rows+20_000+2 {
		t.Errorf("%d changes, want %d", n, rows+20_000+2)
	}
	standby.finish()
}

// TestReplaced freezes the holder's connections, as SIGSTOP does to a process,
// lets another take over, and wakes the holder: it commits nothing, confirms
// nothing, and ends, whichever server tells it first.
func TestReplaced(t *testing.T) {
	for _, first := range []string{"kafka", "postgres"} {
		t.Run(first+" tells first", func(t *testing.T) {
			s := newSource(t)
			s.cfg.TransactionTimeout = 10 * time.Second
			holder := *s
			wires := newCables(t)
			wires.plug(&holder.cfg)
			h := holder.startStreaming()
			s.exec("INSERT INTO events VALUES (1, 'a', 1)")
			s.read(s.cfg.Tables[1].Topic, 1)
			wires.freeze(postgresCable, kafkaCable)
			s.exec("INSERT INTO events SELECT i, 'b', i FROM generate_series(2, 1000) i")
			s.cfg.Takeover = true
			successor := s.startStreamingAs()
			s.exec("INSERT INTO events VALUES (1001, 'c', 1)")
			if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1001)); n != 1001 {
				t.Errorf("%d changes, want 1001", n)
			}
			if first == "kafka" {
				wires.thaw(kafkaCable)
				wires.thawLater(postgresCable)
			} else {
				wires.thaw(postgresCable)
				wires.thawLater(kafkaCable)
			}
			expect(t, h.wait(), fault.Refused, "another daemon has taken over", "started again, this one stands by")
			s.exec("INSERT INTO events VALUES (1002, 'c', 1)")
			if n := versions(t, s.read(s.cfg.Tables[1].Topic, 1002)); n != 1002 {
				t.Errorf("%d changes, want 1002", n)
			}
			successor.finish()
			if got, want := s.confirmed(), s.position().EndLSN; got != want {
				t.Errorf("the slot is confirmed to %s, the position is %s", got, want)
			}
		})
	}
}

// TestTakeover ends a holder that is alive: it may not come back before the one
// that took the slot.
func TestTakeover(t *testing.T) {
	s := newSource(t)
	h := s.startStreaming()
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.read(s.cfg.Tables[1].Topic, 1)
	s.cfg.Takeover = true
	successor := s.startStreamingAs()
	expect(t, h.wait(), fault.Refused, "another daemon has taken over")
	s.exec("INSERT INTO events VALUES (2, 'a', 1)")
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 2)); n != 2 {
		t.Errorf("%d changes, want 2", n)
	}
	successor.finish()
}

// TestOwnStaleWalsender: a capture that was cut off from a server that has not
// noticed ends what is left of its own connection, and nobody else's.
func TestOwnStaleWalsender(t *testing.T) {
	s := newSource(t)
	wires := newCables(t)
	wires.plug(&s.cfg)
	c := s.startStreaming()
	s.exec("INSERT INTO events VALUES (1, 'a', 1)")
	s.read(s.cfg.Tables[1].Topic, 1)
	before := s.one("SELECT active_pid::text FROM pg_replication_slots WHERE slot_name = '" + s.cfg.Slot + "'")
	wires.abandon(postgresCable) // our side is closed, the server's stays open
	begun := time.Now()
	s.exec("INSERT INTO events VALUES (2, 'a', 1)")
	if n := versions(t, s.read(s.cfg.Tables[1].Topic, 2)); n != 2 {
		t.Errorf("%d changes, want 2", n)
	}
	if took := time.Since(begun); took > takeOver {
		t.Errorf("went on after %s, want at most %s", took, takeOver)
	}
	if now := s.one("SELECT active_pid::text FROM pg_replication_slots WHERE slot_name = '" + s.cfg.Slot + "'"); now == before {
		t.Errorf("pid %s holds the slot still", now)
	}
	c.finish()
}

func TestTakeoverNeedsTheRight(t *testing.T) {
	s := newSource(t)
	s.startStreaming()
	role := s.cfg.Slot + "_r"
	s.exec(fmt.Sprintf("CREATE ROLE %[1]s LOGIN REPLICATION; GRANT ALL ON ALL TABLES IN SCHEMA public TO %[1]s", role))
	t.Cleanup(func() { s.exec2(fmt.Sprintf("DROP OWNED BY %[1]s; DROP ROLE %[1]s", role)) })
	second := *s
	second.cfg.DSN, second.cfg.Takeover = strings.Replace(s.cfg.DSN, "postgres@", role+"@", 1), true
	expect(t, second.refusal(), fault.Usage, "may not end the slot's walsender", "GRANT pg_signal_backend")
}

// exec2 runs a statement in a cleanup, when the test's context has ended.
func (s *source) exec2(sql string) {
	if _, err := s.db.Exec(context.Background(), sql); err != nil {
		s.t.Errorf("%s: %v", sql, err)
	}
}

// startStreamingAs starts a capture beside others and returns when the slot is
// read by a connection that did not read it before.
func (s *source) startStreamingAs() *capturing {
	s.t.Helper()
	const query = "SELECT coalesce(max(active_pid), 0)::text FROM pg_replication_slots WHERE slot_name = '%s'"
	before := s.one(fmt.Sprintf(query, s.cfg.Slot))
	c := s.start()
	eventually(s.t, "another connection to read from the slot", func() bool {
		now := s.one(fmt.Sprintf(query, s.cfg.Slot))
		return now != before && now != "0"
	})
	s.awaitStreaming()
	return c
}

// standbyLog is what a capture has logged.
type standbyLog struct{ logs *observer.ObservedLogs }

func (s *source) startLogging(into *standbyLog) *capturing {
	s.t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	into.logs = logs
	return s.startWith(zap.New(core))
}

func (l *standbyLog) count(part string) int {
	n := 0
	for _, entry := range l.logs.All() {
		if strings.Contains(entry.Message, part) {
			n++
		}
	}
	return n
}

func (l *standbyLog) last(part string) string {
	line := ""
	for _, entry := range l.logs.All() {
		if strings.Contains(entry.Message, part) {
			line = entry.Message
			for key, value := range entry.ContextMap() {
				line += fmt.Sprintf(" %s=%v", key, value)
			}
		}
	}
	return line
}
