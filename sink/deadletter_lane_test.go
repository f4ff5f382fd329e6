package sink_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// behindPair is a pair of which one store is picky, and the other gets stuck, with a content that has an event.
func behindPair(t *testing.T, stuckOf, pickyOf func(*pair) *storetest.Model) (p *pair, s *source, held *stuck, choosy *picky) {
	t.Helper()
	p, s = newPair(t), newSource(partitions)
	held, choosy = newStuck(stuckOf(p)), &picky{Store: pickyOf(p), event: 2}
	s.putContent(someContent(1, 100))
	s.putContent(someContent(neighbor(), 100))
	s.put(someEvent(1, 1))
	s.put(someEvent(9, neighbor()))
	p.send(s)
	cfg := p.letters()
	cfg.BreakAfter = time.Millisecond
	stores := []sink.Store{held, choosy}
	if stuckOf(p) != p.history {
		slices.Reverse(stores)
	}
	p.startWith(cfg, p.history, stores...)
	p.committedAll()
	return p, s, held, choosy
}

// send produces what the source has not sent yet, and then a record before which all of it is durable before what lies
// behind it is looked at: a release of nothing.
func (p *pair) send(s *source) {
	p.t.Helper()
	p.produce(s, kgo.TryCommit)
	p.produceRecords(kgo.TryCommit, &kgo.Record{
		Partition: firstPartition(), Key: []byte("another"), Headers: []kgo.RecordHeader{{Key: deadletter.HeaderRelease, Value: []byte("of nothing")}},
	})
}

// pickyHas waits until the picky store has everything.
func (p *pair) pickyHas(doing string) {
	p.t.Helper()
	end := p.behind()[firstPartition()]
	p.await(doing, func(last map[int32]sink.Progress) bool { return last[firstPartition()].Stores["picky"] >= end })
}

// retry retries the first letter that a key waits for.
func (p *pair) retry(o sink.Order) {
	p.t.Helper()
	o.State = deadletter.Retried
	p.decide(p.book().Heads()[0].ID, o)
}

// firstPartition is that of the first content.
func firstPartition() int32 { return sink.PartitionOf(storetest.ContentID(1).String(), partitions) }

// TestALaneLeavesLettersAsTheyAre: the owner of a partition finds a record sound that the lane behind it does not, and
// waits for the letter of the next, which in the lane waits for that of the first. The letter has to go on saying
// that a key waits for it: by the letters both find what waits when they are one again.
func TestALaneLeavesLettersAsTheyAre(t *testing.T) {
	p, s, history, latest := behindPair(t, func(p *pair) *storetest.Model { return p.history }, func(p *pair) *storetest.Model { return p.latest })
	history.on(2)
	s.put(someEvent(2, 1))
	p.send(s)
	p.pickyHas("a lane begins")
	s.put(someEvent(6, neighbor()))
	p.send(s)
	s.put(someEvent(3, 1))
	sound := s.breaks()
	s.put(someEvent(4, 1))
	p.send(s)
	p.pickyHas("the key waits")
	latest.left.Store(1)
	history.on(6)
	<-history.hit // the lane has filed the letter of the second event, and is before the third
	p.retry(sink.Order{})
	s.putContent(someContent(neighbor(), 50)) // needs the store that is read
	p.send(s)
	p.retry(sink.Order{Value: sound})
	history.on(0)
	p.drained(s)
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// TestALaneFreesWhatItsOwnerFrees: the owner of a partition lets a key wait whose record the lane behind it finds sound. What the lane
// joins again it finds by the history, which has nothing of what waits: so it has to let it wait, too.
func TestALaneFreesWhatItsOwnerFrees(t *testing.T) {
	p, s, latest, history := behindPair(t, func(p *pair) *storetest.Model { return p.latest }, func(p *pair) *storetest.Model { return p.history })
	latest.on(7)
	s.put(someEvent(7, neighbor()))
	p.send(s)
	p.pickyHas("a lane begins")
	history.left.Store(1)
	s.put(someEvent(2, 1))
	p.send(s)
	s.putContent(someContent(1, 50))
	p.send(s)
	s.put(someEvent(6, neighbor()))
	p.send(s)
	p.pickyHas("the content waits")
	latest.on(6)
	<-latest.hit // the lane is behind the content
	p.retry(sink.Order{})
	p.pickyHas("the content is released")
	latest.on(0)
	p.drained(s)
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// TestALaneFreesNoMoreThanItsOwner: of what fails in the owner of a partition once more, because of a row in the store that is its own, the lane
// finds nothing wrong. The letter stays open, and the key waits for it.
func TestALaneFreesNoMoreThanItsOwner(t *testing.T) {
	p, s, latest, history := behindPair(t, func(p *pair) *storetest.Model { return p.latest }, func(p *pair) *storetest.Model { return p.history })
	latest.on(7)
	s.put(someEvent(7, neighbor()))
	p.send(s)
	p.pickyHas("a lane begins")
	history.left.Store(2) // the first time, and when it is retried
	s.put(someEvent(2, 1))
	p.send(s)
	s.put(someEvent(3, 1))
	p.send(s)
	p.pickyHas("the key waits")
	p.retry(sink.Order{})
	p.pickyHas("it waits on")
	end := p.behind()[firstPartition()]
	latest.on(0)
	p.await("the lane is done", func(last map[int32]sink.Progress) bool { return last[firstPartition()].Offset >= end })
	if heads := p.book().Heads(); len(heads) != 1 {
		t.Fatalf("keys wait for %d letters, want for that of the second event", len(heads))
	}
	p.retry(sink.Order{})
	p.drained(s)
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// breaks makes the last record of the first content one that nobody can process, and returns what it was.
func (s *source) breaks() (sound []byte) {
	records := s.partitions[firstPartition()]
	broken := records[len(records)-1]
	sound, broken.Value = broken.Value, []byte("{")
	return sound
}

// TestWhatIsFreedBeforeADiscardedLetter is freed again in a replay: the key waited for that behind the release.
func TestWhatIsFreedBeforeADiscardedLetter(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	s.put(someEvent(1, 1))
	sound := s.breaks()
	s.put(someEvent(2, 1))
	s.put(someEvent(3, 1))
	s.breaks()
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	r.decide(r.book().Heads()[0].ID, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	r.decide(r.book().Heads()[0].ID, sink.Order{State: deadletter.Discarded})
	s.remove(3)
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)

	model = storetest.NewModel()
	r.commit(firstPartition(), 0)
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
}

// TestAReplayKnowsWhatWasTruncatedBeforeAKeyWaited: the history has nothing of it any more.
func TestAReplayKnowsWhatWasTruncatedBeforeAKeyWaited(t *testing.T) {
	p, s := newPair(t), newSource(partitions)
	s.put(someEvent(1, 1))
	s.truncate("engagement_events")
	s.put(someEvent(2, 1))
	s.put(someEvent(3, 1))
	s.breaks()
	s.truncate("engagement_events")
	p.produce(s, kgo.TryCommit)
	p.runUntilDrained(p.letters(), p.history, leaving{p.history, p.historyOut}, leaving{p.latest, p.latestOut})
	want := rowsOf(p.latest)
	if len(want) != 1 {
		t.Fatalf("the store has %d rows, want that of the event before which the key did not wait", len(want))
	}
	empty := storetest.NewModel()
	again, err := sink.New(p.letters(), p.history, []sink.Store{leaving{p.history, p.historyOut}, leaving{empty, p.latestOut}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Replay(t.Context(), p.latestOut.name, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rowsOf(empty)); diff != "" {
		t.Errorf("after a replay (-before +after):\n%s", diff)
	}
}
