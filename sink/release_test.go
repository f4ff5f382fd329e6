package sink_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// during calls something when the first rows of a content come, and gives what it began a moment at each of the later ones.
type during struct {
	sink.Store

	content engagement.UUID
	once    *sync.Once
	begin   func()
	ended   chan struct{}
	last    *bool // whether it had ended when the last rows came
}

func (d during) Apply(ctx context.Context, writes []sink.Write) error {
	if slices.ContainsFunc(writes, func(w sink.Write) bool {
		return w.Action == sink.Put && engagement.FromSlots(w.Row).ContentID == engagement.Some(d.content)
	}) {
		d.once.Do(d.begin)
		select {
		case <-d.ended:
			*d.last = true
		case <-time.After(20 * time.Millisecond):
			*d.last = false
		}
	}
	return d.Store.Apply(ctx, writes)
}

// TestOthersFlowDuringARelease: hundreds of records waited for a letter; while they are freed, what comes in another
// partition is stored and committed, and the commits say how far the release is.
func TestOthersFlowDuringARelease(t *testing.T) {
	const waiting = 600
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	other := byte(2)
	for sink.PartitionOf(storetest.ContentID(other).String(), partitions) == sink.PartitionOf(storetest.ContentID(1).String(), partitions) {
		other++
	}
	p, elsewhere := sink.PartitionOf(storetest.ContentID(1).String(), partitions), sink.PartitionOf(storetest.ContentID(other).String(), partitions)
	s.put(someEvent(1, 1))
	sound := s.partitions[p][0].Value
	s.partitions[p][0].Value = []byte("{")
	for id := range int64(waiting) {
		s.put(someEvent(2+id, 1))
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	head := r.book().Heads()[0]
	r.decide(head.ID, sink.Order{State: deadletter.Retried, Value: sound})

	ended, inTime := make(chan struct{}), false
	store := during{Store: model, content: storetest.ContentID(1), once: new(sync.Once), ended: ended, last: &inTime, begin: func() {
		s.put(someEvent(5000, other))
		r.produce(s, kgo.TryCommit)
	}}
	cfg := r.letters()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var told []sink.Release
	cfg.OnCommit = func(at sink.Progress) {
		switch {
		case at.Partition == elsewhere:
			close(ended)
		case at.Release.Done > 0:
			told = append(told, at.Release)
		case at.Partition == p && at.Offset == int64(len(s.partitions[p]))+2: // behind the end of a Kafka transaction and the release
			stop()
		}
	}
	if err := r.run(ctx, cfg, model, store); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != context.Canceled { //nolint:errorlint // it is never wrapped
		t.Error("the release was not committed")
	}
	if !inTime {
		t.Error("the other partition waited for the release")
	}
	for _, at := range told {
		if at.Letter != head.ID || at.Letters != waiting+1 || at.Done > waiting {
			t.Errorf("the release is told as %+v", at)
		}
	}
	if len(told) == 0 {
		t.Error("no commit told how far the release is")
	}
	if heads := r.book().Heads(); len(heads) > 0 {
		t.Errorf("%d letters wait", len(heads))
	}
	wantEqual(t, s, model)
}
