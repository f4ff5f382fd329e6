package sink_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// pages is a lookup that counts the pages of stored rows, and does not give those behind the first while it is blocked.
type pages struct {
	sink.TotalsReader
	blocked atomic.Bool

	mu    sync.Mutex
	begun []string // guarded by mu: the bookmarks of calls
	rows  int      // guarded by mu
}

func (p *pages) Rows(ctx context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	p.mu.Lock()
	p.begun = append(p.begun, string(after))
	p.mu.Unlock()
	if after != nil && p.blocked.Load() {
		return &fault.Error{Kind: fault.Unreachable, Where: "a lookup", What: "is blocked"}
	}
	return p.TotalsReader.Rows(ctx, join, after, func(page []plan.Stored, bookmark []byte) error {
		p.mu.Lock()
		p.rows += len(page)
		p.mu.Unlock()
		return visit(page, bookmark)
	})
}

func (p *pages) counted() (rows int, begun []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows, slices.Clone(p.begun)
}

// popular gives content 1 many events, of several hours.
func popular(s *source, events int64) {
	s.putContent(someContent(1, 100))
	for id := range events {
		e := someEvent(id, 1)
		e.Time += id * 60_000_000
		s.put(e)
	}
}

// runRejoins runs a sink until it is stopped, or everything is committed.
func (r *rig) runRejoins(ctx context.Context, cfg sink.Config, lookup sink.Lookup, stores ...sink.Store) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	behind := r.behind()
	before := cfg.OnCommit
	cfg.OnCommit = func(p sink.Progress) {
		if before != nil {
			before(p)
		}
		if p.Offset >= behind[p.Partition] {
			delete(behind, p.Partition)
		}
		if len(behind) == 0 {
			stop()
		}
	}
	s, err := sink.New(cfg, lookup, stores, nil)
	if err == nil {
		err = s.Run(ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestManyRowsAreJoinedBesideTheirPartition: while the rows of a content that changed cannot be read, what comes
// behind the change is stored, also of that content, and nothing at or behind it is committed.
func TestManyRowsAreJoinedBesideTheirPartition(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	popular(s, 40)
	r.produce(s, kgo.TryCommit)
	lookup := &pages{TotalsReader: model}
	cfg := r.config()
	cfg.BreakAfter = time.Minute
	r.runRejoins(t.Context(), cfg, lookup, model)
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	change := r.committed(p) + 1 // behind a commit marker
	s.putContent(someContent(1, 50))
	lookup.blocked.Store(true)
	e := someEvent(100, 1)
	s.put(e)
	for n := byte(2); n <= 9; n++ {
		s.put(someEvent(100+int64(n), n))
	}
	r.produce(s, kgo.TryCommit)
	var last sink.Progress
	cfg.OnCommit = func(at sink.Progress) {
		if at.Partition != p {
			return
		}
		if last = at; lookup.blocked.Load() && at.Offset > change {
			t.Errorf("offset %d is committed, that of the change is %d", at.Offset, change)
		}
	}
	time.AfterFunc(20*time.Millisecond, func() {
		defer lookup.blocked.Store(false)
		for range 500 {
			rows := rowsOf(model)
			if row, found := rows[100]; found && len(rows) == 49 && row.LengthSeconds == engagement.Some[int64](50) {
				if rows[39].LengthSeconds != engagement.Some[int64](100) {
					t.Error("a row behind the first page was joined again, which shows nothing")
				}
				return
			}
			<-time.After(10 * time.Millisecond)
		}
		t.Error("what comes behind the change is not stored while its rows are joined again")
	})
	r.runRejoins(t.Context(), cfg, lookup, model)
	if len(last.Rejoins) > 0 || last.Offset <= change {
		t.Errorf("at the end %+v is committed", last)
	}
	wantEqual(t, s, model)
}

// TestARejoinGoesOnWhereItWas: a sink that is stopped again and again joins no page twice but those at its ends.
func TestARejoinGoesOnWhereItWas(t *testing.T) {
	const events = 120
	r, s, history, latest := newRig(t), newSource(partitions), storetest.NewModel(), storetest.NewModel()
	popular(s, events)
	r.produce(s, kgo.TryCommit)
	r.runRejoins(t.Context(), r.config(), history, history, latest)
	s.putContent(someContent(1, 50))
	s.put(someEvent(500, 1))
	r.produce(s, kgo.TryCommit)
	lookup := &pages{TotalsReader: history}
	stops := 0
	for len(r.behind()) > 0 {
		ctx, stop := context.WithCancel(t.Context())
		left := 5
		cfg := r.config()
		cfg.Failpoint = func(at sink.Failpoint) {
			if at != sink.FailRejoined {
				return
			}
			if left--; left == 0 {
				stops++
				stop()
			}
		}
		r.runRejoins(ctx, cfg, lookup, history, latest)
		stop()
	}
	rows, begun := lookup.counted()
	if most := events + 8*(stops+1); rows > most || stops < 5 {
		t.Errorf("%d rows were read with %d stops, want at most %d; calls %q", rows, stops, most, begun)
	}
	wantEqual(t, s, history)
	wantEqual(t, s, latest)
}

// TestALaterChangeTakesTheRejoinsPlace, and a deletion does, too: each row ends with what the last change said.
func TestALaterChangeTakesTheRejoinsPlace(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	popular(s, 40)
	r.produce(s, kgo.TryCommit)
	lookup := &pages{TotalsReader: model}
	cfg := r.config()
	cfg.BreakAfter, cfg.Batch = time.Minute, 1
	r.runRejoins(t.Context(), cfg, lookup, model)
	lookup.blocked.Store(true)
	for length := range int64(5) {
		s.putContent(someContent(1, 10+length))
		s.put(someEvent(100+length, 1))
	}
	s.removeContent(storetest.ContentID(1))
	s.put(someEvent(200, 1))
	r.produce(s, kgo.TryCommit)
	time.AfterFunc(300*time.Millisecond, func() { lookup.blocked.Store(false) })
	r.runRejoins(t.Context(), cfg, lookup, model)
	wantEqual(t, s, model)
}

// TestARowThatCannotBeJoinedAgain makes its change a dead letter, as if all rows had been joined at once.
func TestARowThatCannotBeJoinedAgain(t *testing.T) {
	r, s, model, strict := newRig(t), newSource(partitions), storetest.NewModel(), storetest.NewModel()
	popular(s, 20)
	e := someEvent(30, 1)
	e.Time += 30 * 60_000_000
	e.Device = engagement.Some("refused")
	s.put(e)
	popularAt := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	r.produce(s, kgo.TryCommit)
	mended := new(atomic.Bool)
	mended.Store(true)
	store := refusing{strict, mended}
	r.runUntilDrained(r.letters(), model, model, store)
	mended.Store(false)
	s.putContent(someContent(1, 50))
	change := int64(len(s.partitions[popularAt]) - 1)
	s.put(someEvent(40, 1))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model, model, store)
	all := r.book().All()
	if len(all) != 2 || all[0].Letter.Reason != deadletter.Refused || all[1].Letter.Reason != deadletter.Waits || all[1].Letter.Behind != all[0].ID {
		t.Fatalf("got letters %+v", all)
	}
	if got, want := string(all[0].Letter.Record.Key), storetest.ContentID(1).String(); got != want || all[0].Letter.Offset < change {
		t.Errorf("the letter is of %s at %d, want %s at %d or above", got, all[0].Letter.Offset, want, change)
	}
	mended.Store(true)
	r.decide(all[0].ID, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(r.letters(), model, model, store)
	wantEqual(t, s, model)
	wantEqual(t, s, strict)
}

// TestARejoinOutlivesARefusalBehindIt has four records in one batch: the change of a lookup row with many stored rows, a
// sound one, one that a store refuses, and another. The search for the bad one applies the first two in between.
func TestARejoinOutlivesARefusalBehindIt(t *testing.T) {
	r, s, model, strict := newRig(t), newSource(partitions), storetest.NewModel(), storetest.NewModel()
	popular(s, 20)
	at := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	r.produce(s, kgo.TryCommit)
	mended := new(atomic.Bool)
	store := refusing{strict, mended}
	r.runUntilDrained(r.letters(), model, model, store)
	beside := byte(2)
	for sink.PartitionOf(storetest.ContentID(beside).String(), partitions) != at {
		beside++
	}
	last := beside + 1
	for sink.PartitionOf(storetest.ContentID(last).String(), partitions) != at {
		last++
	}
	s.putContent(someContent(1, 50))
	s.put(someEvent(40, last))
	bad := someEvent(41, beside)
	bad.Device = engagement.Some("refused")
	s.put(bad)
	s.put(someEvent(42, last))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model, model, store)
	all := r.book().All()
	if len(all) != 1 || all[0].Letter.Reason != deadletter.Refused {
		t.Fatalf("got letters %+v, want one that is refused", all)
	}
	mended.Store(true)
	r.decide(all[0].ID, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(r.letters(), model, model, store)
	wantEqual(t, s, model)
	wantEqual(t, s, strict)
}
