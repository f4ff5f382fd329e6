package sink_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunCarriesTheTopicIntoTheStores(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	second := storetest.NewModel()
	r.runUntilDrained(r.config(), model, model, second)
	wantEqual(t, s, model)
	wantEqual(t, s, second)
}

func TestAbortedTransactionsAreNotRead(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	ghost := newSource(partitions)
	ghost.put(someEvent(99, 1))
	r.produce(ghost, kgo.TryAbort)
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	wantEqual(t, s, model)
}

func TestTransientStoreFaultsAreRetried(t *testing.T) {
	down := &fault.Error{Kind: fault.Unreachable, Where: "model", What: "write"}
	cases := []struct {
		name  string
		fault storetest.Fault
	}{
		{"nothing arrived", storetest.Fault{Writes: 0, Err: down}},
		{"half arrived", storetest.Fault{Writes: 3, Err: down}},
		{"the response was lost", storetest.Fault{Writes: -1, Err: down}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, s, model := newRig(t), played(), storetest.NewModel()
			r.produce(s, kgo.TryCommit)
			other := storetest.NewModel()
			faulty := storetest.NewFaulty(other, map[int]storetest.Fault{1: c.fault, 2: c.fault, 4: c.fault})
			r.runUntilDrained(r.config(), model, model, faulty)
			wantEqual(t, s, model)
			wantEqual(t, s, other)
		})
	}
}

// The sink dies after each of its writes in turn, before it could commit; the
// next one repeats what was not committed.
func TestDyingBeforeTheOffsetsAreCommitted(t *testing.T) {
	for call := 1; call <= 6; call++ {
		r, s, model := newRig(t), played(), storetest.NewModel()
		r.produce(s, kgo.TryCommit)
		ctx, die := context.WithCancel(t.Context())
		faulty := storetest.NewFaulty(model, map[int]storetest.Fault{call: {Writes: -1, Err: errors.New("died"), Then: die}})
		if err := r.run(ctx, r.config(), model, faulty); err != nil {
			t.Fatal(err)
		}
		r.runUntilDrained(r.config(), model)
		wantEqual(t, s, model)
	}
}

func TestStoreThatStaysAwayIsNamed(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	down := storetest.Fault{Err: &fault.Error{Kind: fault.Unreachable, Where: "redis at localhost:1", What: "write"}}
	faults := make(map[int]storetest.Fault)
	for call := 1; call < 1000; call++ {
		faults[call] = down
	}
	cfg := r.config()
	cfg.Wait = 200 * time.Millisecond
	err := r.run(t.Context(), cfg, model, storetest.NewFaulty(model, faults))
	wantFault(t, err, fault.Unreachable, "redis at localhost:1", "gave up")
	if behind := r.behind(); len(behind) == 0 {
		t.Error("offsets were committed")
	}
}

func TestRecordThatCannotBeAppliedStopsWithItsCoordinates(t *testing.T) {
	s := played()
	good := s.partitions[1][0]
	broken := func(change func(*kgo.Record)) *kgo.Record {
		record := *good
		record.Headers = append([]kgo.RecordHeader(nil), good.Headers...)
		change(&record)
		return &record
	}
	cases := []struct {
		name   string
		record *kgo.Record
		want   string
	}{
		{"bad json", broken(func(r *kgo.Record) { r.Value = []byte("{") }), "envelope"},
		{"tombstone", broken(func(r *kgo.Record) { r.Value = nil }), "envelope"},
		{"missing header", broken(func(r *kgo.Record) { r.Headers = r.Headers[:3] }), "header penstock.version is missing"},
		{"unknown table", broken(func(r *kgo.Record) { r.Value = replace(r.Value, `"public"`, `"other"`) }), "neither the stream table"},
		{"impossible time", broken(func(r *kgo.Record) { r.Value = replace(r.Value, `"2025`, `"infinity`) }), "is no time that the stores can hold"},
		{"another key", broken(func(r *kgo.Record) { r.Key = []byte("x") }), `record key "x"`},
		{"missing column", broken(func(r *kgo.Record) { r.Value = replace(r.Value, `"content_id"`, `"content"`) }), "is missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, model := newRig(t), storetest.NewModel()
			r.produceRecords(kgo.TryCommit, good, good)
			c.record.Partition = 1
			r.produceRecords(kgo.TryCommit, c.record)
			cfg := r.config()
			var reported []int64
			cfg.OnCommit = func(p sink.Progress) { reported = append(reported, p.Offset) }
			for range 2 { // the second run stops at the same record
				err := r.run(t.Context(), cfg, model)
				wantFault(t, err, fault.Runtime, "pipeline engagement: topic t partition 1 offset 3 lsn ", c.want)
				if at := r.committed(1); at != 2 {
					t.Errorf("committed offset %d, want that after the good records, 2", at)
				}
			}
			if !slices.Equal(reported, []int64{2}) {
				t.Errorf("reported offsets %d, want 2 from the first run only", reported)
			}
		})
	}
}

func replace(value []byte, from, to string) []byte {
	return []byte(strings.ReplaceAll(string(value), from, to))
}

// A sink that starts before the capture waits for the topic.
func TestTopicThatComesLateIsRead(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	r, s, model := &rig{t: t, cluster: cluster, sent: make([]int, partitions)}, played(), storetest.NewModel()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	waiting, written := make(chan struct{}), 0
	cfg := r.config()
	cfg.OnCommit = func(sink.Progress) {
		if written++; written == partitions {
			stop()
		}
	}
	cfg.Batch = 1000
	log := zap.New(signalCore{zapcore.NewNopCore(), waiting})
	worker, err := sink.New(cfg, model, []sink.Store{model}, log)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1) // the only send
	go func() { done <- worker.Run(ctx) }()
	<-waiting
	if _, err := kadm.NewClient(r.client()).CreateTopic(t.Context(), partitions, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	r.produce(s, kgo.TryCommit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantEqual(t, s, model)
}

// signalCore closes a channel at the log's first line "waiting".
type signalCore struct {
	zapcore.Core
	waiting chan struct{}
}

func (c signalCore) Enabled(zapcore.Level) bool        { return true }
func (c signalCore) With([]zapcore.Field) zapcore.Core { return c }
func (c signalCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Message == "waiting" {
		return ce.AddCore(e, c)
	}
	return ce
}
func (c signalCore) Write(zapcore.Entry, []zapcore.Field) error { close(c.waiting); return nil }

// A second sink takes partitions over while the first works; both stop in the middle.
func TestRebalanceLosesNothing(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	behind := r.behind()
	committed := make(chan sink.Progress) // taken by this test until the workers end
	cfg := r.config()
	cfg.Batch = 2
	cfg.OnCommit = func(p sink.Progress) {
		select {
		case committed <- p:
		case <-ctx.Done():
		}
	}
	const workers = 3
	done := make(chan error, workers) // one send each
	for range workers {
		go func() { done <- r.run(ctx, cfg, model) }()
	}
	for len(behind) > 0 {
		select {
		case p := <-committed:
			if behind[p.Partition] <= p.Offset {
				delete(behind, p.Partition)
			}
		case <-ctx.Done():
			t.Fatal("not drained in time")
		}
	}
	stop()
	for range workers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	wantEqual(t, s, model)
}

func TestConfigurationReportsEveryProblem(t *testing.T) {
	_, err := sink.New(sink.Config{Batch: -1}, storetest.NewModel(), []sink.Store{storetest.NewModel()}, nil)
	wantFault(t, err, fault.Usage, "Pipeline is empty", "Topic is empty", "Group is empty", "Brokers is empty", "Batch must not be negative")
}

func wantFault(t *testing.T, err error, kind fault.Kind, parts ...string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got %v, want a fault of kind %d", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
