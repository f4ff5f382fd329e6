package sink_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// stuck is a store that does not answer to writes of one event.
type stuck struct {
	sink.Store

	event atomic.Int64  // 0 for none
	hit   chan struct{} // capacity 1: it got such a write
}

func newStuck(store sink.Store) *stuck { return &stuck{Store: store, hit: make(chan struct{}, 1)} }

func (*stuck) Name() string { return "stuck" }

// on makes it stick at another event, 0 for none.
func (s *stuck) on(event int64) {
	s.event.Store(event)
	select {
	case <-s.hit:
	default:
	}
}

func (s *stuck) Apply(ctx context.Context, writes []sink.Write) error {
	for _, w := range writes {
		if w.Action == sink.Put && engagement.FromSlots(w.Row).ID == s.event.Load() {
			select {
			case s.hit <- struct{}{}:
			default:
			}
			return &fault.Error{Kind: fault.Unreachable, Where: "a store", What: "write"}
		}
	}
	return s.Store.Apply(ctx, writes)
}

// neighbor is another content of the same partition as the first.
func neighbor() byte {
	for n := byte(2); ; n++ {
		if sink.PartitionOf(storetest.ContentID(n).String(), partitions) == sink.PartitionOf(storetest.ContentID(1).String(), partitions) {
			return n
		}
	}
}

// picky is a store that says it does not take one event, so many times.
type picky struct {
	sink.Store

	event int64
	left  atomic.Int64
}

func (*picky) Name() string { return "picky" }

func (s *picky) Check(writes []sink.Write) error {
	for _, w := range writes {
		if w.Action == sink.Put && engagement.FromSlots(w.Row).ID == s.event && s.left.Add(-1) >= 0 {
			return &sink.RecordError{Reason: deadletter.TooLarge, Err: errors.New("too large")}
		}
	}
	return nil
}

// flushes is a record before which everything is durable before what lies behind it is looked at: a release of nothing.
func (r *rig) flushes(p int32) {
	r.t.Helper()
	r.produceRecords(kgo.TryCommit, &kgo.Record{
		Partition: p, Key: []byte("another"), Headers: []kgo.RecordHeader{{Key: deadletter.HeaderRelease, Value: []byte("of nothing")}},
	})
}

// TestALaneLeavesLettersAsTheyAre: the owner of a partition finds a record sound that the lane behind it does not, and
// waits for the letter of the next, which in the lane waits for that of the first. The letter has to go on saying
// that a key waits for it: by the letters both find what waits when they are one again.
func TestALaneLeavesLettersAsTheyAre(t *testing.T) {
	r, s := newRig(t), newSource(partitions)
	model, other, again := storetest.NewModel(), storetest.NewModel(), storetest.NewModel()
	history, latest := newStuck(model), &picky{Store: other, event: 2}
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	cfg := r.letters()
	cfg.BreakAfter, cfg.RejoinAtOnce = time.Millisecond, 0
	drain := func() { r.runUntilDrained(cfg, model, history, latest) }
	retry := func(o sink.Order) {
		t.Helper()
		drain()
		o.State = deadletter.Retried
		r.decide(r.book().Heads()[0].ID, o)
	}

	s.putContent(someContent(1, 100))
	s.putContent(someContent(neighbor(), 100))
	s.put(someEvent(9, neighbor()))
	s.put(someEvent(1, 1))
	r.produce(s, kgo.TryCommit)
	r.flushes(p)
	latest.left.Store(1)
	s.put(someEvent(2, 1))
	r.produce(s, kgo.TryCommit)
	r.flushes(p)
	s.put(someEvent(3, 1))
	broken := s.partitions[p][len(s.partitions[p])-1]
	sound := broken.Value
	broken.Value = []byte("{")
	s.put(someEvent(4, 1))
	r.produce(s, kgo.TryCommit)
	retry(sink.Order{})
	released := r.behind()[p]
	drain()
	s.putContent(someContent(neighbor(), 50)) // needs the store that is read
	r.produce(s, kgo.TryCommit)
	retry(sink.Order{Value: sound})
	drain()
	wantEqual(t, s, model)
	wantEqual(t, s, other)

	// Now all comes again to a store that has nothing of it, and the one that is read is away from the second event on.
	latest.Store = again
	history.on(2)
	r.commit(p, 0)
	ends := r.behind()[p]
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	held := false
	cfg.OnCommit = func(at sink.Progress) {
		if at.Stores["picky"] >= released && !held {
			held = true
			latest.left.Store(1)
			history.on(0)
		}
		if at.Offset == ends {
			stop()
		}
	}
	if err := r.run(ctx, cfg, model, history, latest); err != nil {
		t.Fatal(err)
	}
	if at := r.committed(p); !held || at != ends {
		t.Fatalf("committed is %d of %d; the store that is read was waited for: %t", at, ends, held)
	}
	if heads := r.book().Heads(); len(heads) > 0 {
		t.Errorf("keys wait for %+v", heads[0].Letter)
	}
	if n := latest.left.Load(); n >= 0 {
		t.Error("the lane has found the record sound")
	}
	wantEqual(t, s, model)
	wantEqual(t, s, again)
}

// TestALaneFreesWhatItsOwnerFrees: the owner of a partition lets a key wait that the lane behind it finds free. What the lane
// joins again it finds by the history, which has nothing of what waits: so it has to come to it again where the owner does.
func TestALaneFreesWhatItsOwnerFrees(t *testing.T) {
	p, s := newPair(t), newSource(partitions)
	history, latest := &picky{Store: p.history, event: 2}, newStuck(p.latest)
	at := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	send := func() {
		t.Helper()
		p.produce(s, kgo.TryCommit)
		p.flushes(at)
	}
	hasAll := func(doing string) {
		t.Helper()
		end := p.behind()[at]
		p.await(doing, func(last map[int32]sink.Progress) bool { return last[at].Stores["picky"] >= end })
	}
	s.putContent(someContent(1, 100))
	s.putContent(someContent(neighbor(), 100))
	s.put(someEvent(1, 1))
	s.put(someEvent(9, neighbor()))
	send()
	cfg := p.letters()
	cfg.BreakAfter = time.Millisecond
	p.startWith(cfg, p.history, history, latest)
	p.committedAll()

	latest.on(7)
	s.put(someEvent(7, neighbor()))
	send()
	hasAll("a lane begins")
	history.left.Store(1)
	s.put(someEvent(2, 1))
	send()
	hasAll("the key begins to wait")
	s.putContent(someContent(1, 50))
	send()
	s.put(someEvent(6, neighbor()))
	send()
	hasAll("the content waits")
	latest.on(6)
	<-latest.hit // the lane has written the content
	p.decide(p.book().Heads()[0].ID, sink.Order{State: deadletter.Retried})
	hasAll("the content is released")
	latest.on(0)
	p.drained(s)
	if err := p.end(); err != nil {
		t.Error(err)
	}
}
