package cdc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"penstock/cdc"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/record"
)

const deadline = 30 * time.Second

// source is a database of its own with the two tables of a pipeline, and the
// configuration that captures it.
type source struct {
	t   *testing.T
	db  *pgx.Conn
	cfg cdc.Config

	running *capturing // the last that was started
}

var (
	content = schema.TableName{Schema: "public", Name: "content"}
	events  = schema.TableName{Schema: "public", Name: "events"}
)

func newSource(t *testing.T) *source {
	t.Helper()
	return newSourceAt(t, stacktest.Database(t))
}

func newSourceAt(t *testing.T, dsn string) *source {
	t.Helper()
	servers, prefix := stacktest.Servers(t), stacktest.Prefix(t)
	s := &source{t: t, db: connect(t, dsn), cfg: cdc.Config{
		Name: prefix, Version: "test", DSN: dsn, Slot: slotOf(prefix), Publications: []string{"p"},
		Tables: []cdc.Table{{Name: content, Topic: prefix + ".content"}, {Name: events, Topic: prefix + ".events"}},
		Pipelines: []cdc.Pipeline{{
			Name: "metrics", Topic: prefix + ".input",
			Stream: cdc.JoinSide{Table: events, Column: "content_id"}, Lookup: cdc.JoinSide{Table: content, Column: "id"},
		}},
		Brokers: servers.Kafka.Brokers, TransactionalID: prefix, PositionTopic: prefix + ".position",
		TransactionTopic: prefix + ".transactions",
		Partitions:       3, ReplicationFactor: 1, Wait: 20 * time.Second,
	}}
	s.exec(`
		CREATE TABLE content (id text PRIMARY KEY, title text);
		CREATE TABLE events (id bigint PRIMARY KEY, content_id text, n int);
		ALTER TABLE content REPLICA IDENTITY FULL;
		ALTER TABLE events REPLICA IDENTITY FULL`)
	return s
}

// slotOf makes a slot name, unique on the server, out of a prefix.
func slotOf(prefix string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(prefix))
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return db
}

func (s *source) exec(sql string) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// one runs a query of one text value.
func (s *source) one(sql string) string {
	s.t.Helper()
	var value string
	if err := s.db.QueryRow(s.t.Context(), sql).Scan(&value); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func (s *source) confirmed() schema.LSN {
	s.t.Helper()
	return lsn(s.t, s.one(fmt.Sprintf("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '%s'", s.cfg.Slot)))
}

// capturing is a capture that runs in the background.
type capturing struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func (s *source) start() *capturing {
	s.t.Helper()
	return s.startWith(zaptest.NewLogger(s.t))
}

func (s *source) startWith(log *zap.Logger) *capturing {
	s.t.Helper()
	capture, err := cdc.New(s.cfg, log)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &capturing{t: s.t, stop: stop, done: make(chan error, 1)}
	s.running = c
	go func() { c.done <- capture.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		_ = c.wait() // a test that cares has looked
	})
	return c
}

// startStreaming returns when the slot exists and is read from: what commits from
// now on will be delivered.
func (s *source) startStreaming() *capturing {
	s.t.Helper()
	c := s.start()
	s.awaitStreaming()
	return c
}

func (s *source) awaitStreaming() {
	s.t.Helper()
	eventually(s.t, "the slot is read from", func() bool {
		// A slot is also active while it is being created.
		return s.one(`SELECT count(*)::text FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
			WHERE r.state = 'streaming' AND s.slot_name = '`+s.cfg.Slot+"'") == "1"
	})
}

// wait returns how Run ended.
func (c *capturing) wait() error {
	select {
	case err := <-c.done:
		c.done <- err
		return err
	case <-time.After(deadline):
		c.t.Error("the capture did not end")
		return nil
	}
}

// ended says how Run ended, if it has.
func (c *capturing) ended() string {
	if c == nil {
		return "no capture was started"
	}
	select {
	case err := <-c.done:
		c.done <- err
		return fmt.Sprintf("the capture has ended: %v", err)
	default:
		return "the capture runs"
	}
}

// finish stops gracefully.
func (c *capturing) finish() {
	c.t.Helper()
	c.stop()
	if err := c.wait(); err != nil {
		c.t.Fatalf("graceful stop: %v", err)
	}
}

// finishAt stops gracefully a capture that has written down where it begins.
func (c *capturing) finishAt(s *source) {
	c.t.Helper()
	s.read(s.cfg.PositionTopic, 1)
	c.finish()
}

// refusal runs the capture until it gives up by itself.
func (s *source) refusal() error {
	s.t.Helper()
	c := s.start()
	if err := c.wait(); err != nil {
		return err
	}
	s.t.Fatal("the capture ended without an error")
	return nil
}

// read returns the records of a topic that a read-committed consumer sees, in
// order of partition and offset, once there are at least want.
func (s *source) read(topic string, want int) []*kgo.Record {
	s.t.Helper()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(s.cfg.Brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	var got []*kgo.Record
	next := map[int32]int64{}
	for len(got) < want || !s.atEnd(ctx, kadm.NewClient(cl), topic, next) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatalf("topic %s: %d of %d records, then %v; %s", topic, len(got), want, err, s.running.ended())
		}
		for _, r := range fetches.Records() {
			next[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				got = append(got, r)
			}
		}
	}
	return got
}

func (s *source) atEnd(ctx context.Context, admin *kadm.Client, topic string, next map[int32]int64) bool {
	s.t.Helper()
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		s.t.Fatal(err)
	}
	done := true
	ends.Each(func(o kadm.ListedOffset) { done = done && next[o.Partition] >= o.Offset })
	return done
}

// versions checks that every change was delivered once, and returns how many.
func versions(t *testing.T, records []*kgo.Record) int {
	t.Helper()
	seen := map[int64]string{}
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		c := coordinates(t, r)
		place := fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
		if other, twice := seen[c.Version]; twice {
			t.Errorf("version %d stands at %s and at %s", c.Version, other, place)
		}
		seen[c.Version] = place
	}
	return len(seen)
}

func coordinates(t *testing.T, r *kgo.Record) record.Coordinates {
	t.Helper()
	c, err := record.ParseCoordinates(func(key string) ([]byte, bool) {
		for _, h := range r.Headers {
			if h.Key == key {
				return h.Value, true
			}
		}
		return nil, false
	})
	if err != nil {
		t.Fatalf("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
	}
	return c
}

// eventually awaits a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	expired := time.After(deadline)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-expired:
			t.Fatalf("not within %s: %s", deadline, what)
		}
	}
}
