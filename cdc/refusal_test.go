package cdc_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

func expect(t *testing.T, err error, kind fault.Kind, parts ...string) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Errorf("kind %d, want %d: %v", fault.KindOf(err), kind, err)
	}
	said := fmt.Sprint(err)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		said += " " + f.Why
	}
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in: %s", part, said)
		}
	}
}

func TestCaptureRefusesABadSource(t *testing.T) {
	cases := []struct {
		name  string
		plant func(*source)
		kind  fault.Kind
		parts []string
	}{
		{"no such database", func(s *source) { s.cfg.DSN = strings.Replace(s.cfg.DSN, s.db.Config().Database, "nowhere", 1) },
			fault.Usage, []string{"source.dsn", "nowhere", "create it"}},
		{"not a connection string", func(s *source) { s.cfg.DSN = "postgres://%zz" }, fault.Usage, []string{"source.dsn"}},
		{"a view", func(s *source) { s.exec("DROP TABLE events; CREATE VIEW events AS SELECT 1 AS id") }, fault.Usage, []string{"public.events is a view", "made of"}},
		{"an unlogged table", func(s *source) { s.exec("ALTER TABLE events SET UNLOGGED") }, fault.Usage,
			[]string{"public.events is unlogged", `ALTER TABLE "public"."events" SET LOGGED`}},
		{"missing table", func(s *source) { s.exec("DROP TABLE events") }, fault.Usage, []string{"public.events does not exist"}},
		{"no primary key", func(s *source) { s.exec("ALTER TABLE content DROP CONSTRAINT content_pkey") },
			fault.Usage, []string{"pipelines.metrics", "public.content has no primary key", "ADD PRIMARY KEY"}},
		{"old rows not logged", func(s *source) { s.exec("ALTER TABLE events REPLICA IDENTITY DEFAULT") },
			fault.Usage, []string{"pipelines.metrics", "REPLICA IDENTITY DEFAULT", `ALTER TABLE "public"."events" REPLICA IDENTITY FULL`}},
		{"publication without a table", func(s *source) { s.exec("CREATE PUBLICATION p FOR TABLE content") },
			fault.Usage, []string{"does not publish table public.events", `ALTER PUBLICATION "p" ADD TABLE`}},
		{"publication with a foreign table", func(s *source) {
			s.exec("CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE content, events, other")
		}, fault.Usage, []string{"also publishes table public.other"}},
		{"publication without deletes", func(s *source) {
			s.exec("CREATE PUBLICATION p FOR TABLE content, events WITH (publish = 'insert, update')")
		}, fault.Usage, []string{"leaves out", "SET (publish ="}},
		{"publication missing, slot there", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", s.cfg.Slot))
		}, fault.Usage, []string{"does not exist", "CREATE PUBLICATION"}},
		{"slot of another plugin", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'test_decoding')", s.cfg.Slot))
		}, fault.Usage, []string{"test_decoding", "pgoutput"}},
		{"temporary slot", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput', true)", s.cfg.Slot))
		}, fault.Usage, []string{"temporary"}},
		{"not the failover slot that was asked for", func(s *source) {
			s.cfg.Failover = true
			s.exec(fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", s.cfg.Slot))
		}, fault.Usage, []string{"not a failover slot", "ALTER_REPLICATION_SLOT "}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t)
			c.plant(s)
			expect(t, s.refusal(), c.kind, c.parts...)
		})
	}
}

func TestCaptureRefusesAGap(t *testing.T) {
	cases := []struct {
		name  string
		plant func(*source)
		state fault.State
		parts []string
	}{
		{"slot advanced by hand", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", s.cfg.Slot))
		}, fault.GapDetected, []string{"in neither Kafka nor the slot", "--accept gap_detected@"}},
		{"slot dropped", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.cfg.Slot))
		}, fault.SlotLost, []string{"the slot is gone", "slot create"}},
		{"slot created anew", func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%[1]s'), pg_create_logical_replication_slot('%[1]s', 'pgoutput')", s.cfg.Slot))
		}, fault.GapDetected, []string{"in neither Kafka nor the slot", "--accept gap_detected@"}},
		{"position lost", func(s *source) { s.cfg.Name += "_new" }, fault.GapDetected, []string{"there is no position", "--accept gap_detected@", "is kept under the name t_"}},
		{"position and slot lost", func(s *source) {
			s.cfg.Name += "_new"
			s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.cfg.Slot))
		}, fault.GapDetected, []string{"neither a position nor the slot", "slot create"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t)
			s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
			s.exec("INSERT INTO events VALUES (2, 'a', 2)") // what the gap would lose
			slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()")
			c.plant(s)
			if c.name == "slot dropped" || c.name == "position and slot lost" {
				slots = "0"
			}
			s.refuses(c.state, c.parts...)
			if got := versions(t, s.read(s.cfg.Tables[1].Topic, 1)); got != 1 {
				t.Errorf("%d changes in Kafka, want the 1 from before", got)
			}
			if got := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"); got != slots {
				t.Errorf("%s slots, want %s: a new one would hide the gap", got, slots)
			}
		})
	}
}

// refuses wants the capture to end in a state.
func (s *source) refuses(state fault.State, parts ...string) {
	s.t.Helper()
	err := s.refusal()
	expect(s.t, err, fault.PositionLost, append(parts, string(state)+": ")...)
	if fault.StateOf(err) != state {
		s.t.Errorf("state %q, want %q", fault.StateOf(err), state)
	}
}

func TestAcceptedGapGoesOn(t *testing.T) {
	s := newSource(t)
	s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
	s.exec("INSERT INTO events VALUES (2, 'a', 2)")
	s.exec(fmt.Sprintf("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", s.cfg.Slot))
	word := cdc.Accept{State: fault.GapDetected, LSN: s.confirmed()}
	for _, wrong := range []cdc.Accept{{State: fault.Diverged, LSN: word.LSN}, {State: word.State, LSN: word.LSN - 1}} {
		s.cfg.Accept = wrong
		s.refuses(fault.GapDetected, "--accept "+word.String())
	}
	s.cfg.Accept = word
	if told := s.unneeded("INSERT INTO events VALUES (3, 'a', 3)", 2); len(told) > 0 {
		t.Errorf("the word is needed, and %q", told)
	}
	// The word stays in the command line of a supervisor; it is worth nothing now.
	want := "--accept " + word.String() + " is not needed, and has no effect: nothing was refused, the slot goes on from the position"
	if told := s.unneeded("INSERT INTO events VALUES (4, 'a', 4)", 3); !slices.Equal(told, []string{want}) {
		t.Errorf("got %q, want %q", told, want)
	}
	s.exec("INSERT INTO events VALUES (5, 'a', 5)")
	s.exec(fmt.Sprintf("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", s.cfg.Slot))
	s.refuses(fault.GapDetected, "in neither Kafka nor the slot")
}

// unneeded runs a capture for one statement, and returns what it says of the operator's word.
func (s *source) unneeded(sql string, records int) (told []string) {
	s.t.Helper()
	core, logs := observer.New(zapcore.WarnLevel)
	c := s.startWith(zap.New(core))
	s.awaitStreaming()
	c.finishAfter(s, sql, records)
	for _, entry := range logs.FilterLevelExact(zapcore.WarnLevel).All() {
		if strings.HasPrefix(entry.Message, "--accept") {
			told = append(told, entry.Message)
		}
	}
	return told
}

// TestUnneededWords: a first start has refused nothing, and a commit can be accepted before
// it comes, if there is a table for it, and not after.
func TestUnneededWords(t *testing.T) {
	s, rows := newSource(t), 0
	says := func(when, why string) {
		t.Helper()
		want := []string{"--accept " + s.cfg.Accept.String() + " is not needed, and has no effect: " + why}
		if why == "" {
			want = nil
		}
		rows++
		if told := s.unneeded(fmt.Sprintf("INSERT INTO events VALUES (%d, 'a', 1)", rows), rows); !slices.Equal(told, want) {
			t.Errorf("%s: got %q, want %q", when, told, want)
		}
	}
	s.cfg.Accept = cdc.Accept{State: fault.Diverged, LSN: 7}
	says("the first start", "nothing was refused, the slot goes on from the position")
	s.cfg.Accept = cdc.Accept{State: fault.ShapeChanged, LSN: 1 << 60}
	says("no such table", "no table has schema_change: stop")
	s.cfg.Tables[0].Frozen = true
	says("to come", "")
	s.cfg.Accept.LSN = 7
	says("past", "what that commit has is delivered")
}

// loseSlot has the server give up the log that the slot needs, where it keeps one segment.
func (s *source) loseSlot() {
	s.t.Helper()
	for range 4 {
		s.exec("SELECT pg_logical_emit_message(true, 'filler', 'x')")
		s.exec("SELECT pg_switch_wal()")
	}
	s.exec("CHECKPOINT")
}

// TestLostSlot has the server give up the log that the slot needs: while nobody
// reads it, and while a capture streams that cannot confirm, because Kafka hangs.
func TestLostSlot(t *testing.T) {
	named := func(t *testing.T, s *source, err error) {
		expect(t, err, fault.PositionLost, "slot_lost: ", "wal_status lost", "invalidation_reason wal_removed",
			"the changes from "+s.position().EndLSN.String()+" to the end of the log", "slot drop "+s.cfg.Slot)
	}
	start := func(t *testing.T) *source {
		return newSourceAt(t, stacktest.Postgres(t, map[string]string{"max_slot_wal_keep_size": "1MB", "max_wal_size": "2MB"}).DSN())
	}
	t.Run("before the start", func(t *testing.T) {
		s := start(t)
		s.startStreaming().finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
		s.loseSlot()
		named(t, s, s.refusal())
	})
	t.Run("while streaming", func(t *testing.T) {
		s := start(t)
		wires := newCables(t)
		wires.plug(&s.cfg)
		c := s.startStreaming()
		s.exec("INSERT INTO events VALUES (1, 'a', 1)")
		s.read(s.cfg.Tables[1].Topic, 1)
		wires.freeze(kafkaCable)
		s.exec("INSERT INTO events VALUES (2, 'a', 1)")
		s.loseSlot()
		eventually(t, "the slot to be lost", func() bool {
			return s.one("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '"+s.cfg.Slot+"'") == "lost"
		})
		wires.thaw(kafkaCable)
		named(t, s, c.wait())
	})
}

func TestServerWithoutLogicalLog(t *testing.T) {
	s := newSourceAt(t, stacktest.Postgres(t, map[string]string{"wal_level": "replica"}).DSN())
	expect(t, s.refusal(), fault.Usage, `wal_level: is "replica"`, "ALTER SYSTEM SET wal_level = logical")
}

func TestUnreachableServersAreNamed(t *testing.T) {
	t.Run("kafka", func(t *testing.T) {
		s := newSource(t)
		s.cfg.Brokers, s.cfg.Wait = []string{"127.0.0.1:1"}, time.Second
		expect(t, s.refusal(), fault.Unreachable, "gave up after 1s", "kafka.brokers")
	})
	t.Run("postgres", func(t *testing.T) {
		s := newSource(t)
		s.cfg.DSN, s.cfg.Wait = "postgres://127.0.0.1:1/x", time.Second
		expect(t, s.refusal(), fault.Unreachable, "gave up after 1s", "source.dsn")
	})
}
