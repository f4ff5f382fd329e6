package sink_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/sink"
	"penstock/sink/storetest"
)

// moved are the partitions that a sink says it was given, or gave up, so far.
func moved(logs *observer.ObservedLogs, how string) (partitions []any) {
	for _, entry := range logs.FilterMessage(how).All() {
		partitions = append(partitions, entry.ContextMap()["partitions"].([]any)...)
	}
	return partitions
}

// A sink that joins takes over some partitions; of the others their owner hears nothing.
func TestRebalancesAreCooperative(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	start := func() (*observer.ObservedLogs, chan error) {
		core, logs := observer.New(zapcore.InfoLevel)
		worker, err := sink.New(r.config(), model, []sink.Store{model}, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1) // one send
		go func() { done <- worker.Run(ctx) }()
		return logs, done
	}
	until := func(what string, reached func() bool) {
		for !reached() {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				t.Fatal("not in time: " + what)
			}
		}
	}
	first, firstDone := start()
	until("the first has all partitions", func() bool { return len(moved(first, "assigned")) == partitions })
	second, secondDone := start()
	until("the second has some", func() bool { return len(moved(second, "assigned")) > 0 })
	if gave, lost := moved(first, "revoked"), moved(first, "lost"); len(gave) != 1 || len(lost) != 0 {
		t.Errorf("the first gave up %v and lost %v, want one partition given up", gave, lost)
	}
	stop()
	for _, done := range []chan error{firstDone, secondDone} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
