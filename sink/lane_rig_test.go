package sink_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
	"penstock/sink/totals"
)

// outage takes a store away and brings it back.
type outage struct {
	name  string
	down  atomic.Bool
	calls atomic.Int64 // that it got while it was away

	mu     sync.Mutex
	random *rand.Rand // guarded by mu; nil: nothing takes effect while it is away
}

func (o *outage) err() error {
	if !o.down.Load() {
		return nil
	}
	o.calls.Add(1)
	return &fault.Error{Kind: fault.Unreachable, Where: o.name + " at localhost:1", What: "write"}
}

// part is how many of a call's writes take effect although it fails.
func (o *outage) part(writes int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.random == nil || o.random.IntN(4) > 0 {
		return 0
	}
	return o.random.IntN(writes + 1)
}

// leaving is a store that an outage concerns.
type leaving struct {
	sink.Store
	*outage
}

func (l leaving) Name() string { return l.name }

func (l leaving) Apply(ctx context.Context, writes []sink.Write) error {
	if err := l.err(); err != nil {
		if failed := l.Store.Apply(ctx, writes[:l.part(len(writes))]); failed != nil {
			return failed
		}
		return err
	}
	return l.Store.Apply(ctx, writes)
}

// leavingLookup is what is read of such a store.
type leavingLookup struct {
	sink.TotalsReader
	*outage
}

func (l leavingLookup) Hour(ctx context.Context, join plan.Value, hour int64, visit func([]plan.Stored) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.TotalsReader.Hour(ctx, join, hour, visit)
}

func (l leavingLookup) Totals(ctx context.Context, join plan.Value, hours []int64, visit func(*totals.Value) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.TotalsReader.Totals(ctx, join, hours, visit)
}

func (l leavingLookup) LookupRows(ctx context.Context, joins []plan.Value) ([]plan.LookupRow, error) {
	if err := l.err(); err != nil {
		return nil, err
	}
	return l.TotalsReader.LookupRows(ctx, joins)
}

func (l leavingLookup) Rows(ctx context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.TotalsReader.Rows(ctx, join, after, visit)
}

func (l leavingLookup) Joins(ctx context.Context, visit func([]plan.Value) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.TotalsReader.Joins(ctx, visit)
}

// trailing is a store in which no total may ever have a higher version than in the
// history: the versions of later ones are made from that.
type trailing struct {
	sink.Store

	t       *testing.T
	history *storetest.Model
}

func (s trailing) Apply(ctx context.Context, writes []sink.Write) error {
	for i := range writes {
		w := &writes[i]
		if w.Action != sink.PutTotals {
			continue
		}
		var kept int64
		err := s.history.Totals(ctx, w.Totals.Join, []int64{w.Totals.Hour}, func(v *totals.Value) error {
			if v.ID == w.Totals.ID {
				kept = v.Version
			}
			return nil
		})
		if err != nil || w.Version > kept {
			s.t.Errorf("total %v is written at version %d, the history has it at %d, %v", w.Totals.ID, w.Version, kept, err)
		}
	}
	return s.Store.Apply(ctx, writes)
}

// pair is a rig with the two stores, each of which can be away.
type pair struct {
	*rig
	history, latest       *storetest.Model
	historyOut, latestOut *outage
	running               chan error // one send
	stop                  context.CancelFunc
	commits               chan sink.Progress
}

func newPair(t *testing.T) *pair {
	t.Helper()
	return &pair{
		rig: newRig(t), history: storetest.NewModel(), latest: storetest.NewModel(),
		historyOut: &outage{name: "cassandra"}, latestOut: &outage{name: "redis"},
	}
}

// start runs the sink.
func (p *pair) start(cfg sink.Config) {
	p.t.Helper()
	p.startWith(cfg, leavingLookup{p.history, p.historyOut}, leaving{p.history, p.historyOut}, trailing{leaving{p.latest, p.latestOut}, p.t, p.history})
}

// startWith runs the sink with other stores.
func (p *pair) startWith(cfg sink.Config, lookup sink.Lookup, stores ...sink.Store) {
	p.t.Helper()
	p.commits = make(chan sink.Progress, 100_000)
	commits := p.commits
	cfg.OnCommit = func(at sink.Progress) { commits <- at }
	s, err := sink.New(cfg, lookup, stores, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(p.t.Context())
	p.stop = stop
	done := make(chan error, 1)
	go func() {
		err := s.Run(ctx)
		if n := s.Owners(); n != 0 {
			p.t.Errorf("%d owners have memory still", n)
		}
		done <- err
	}()
	p.running = done
}

// end stops the sink and returns what it ended with.
func (p *pair) end() error {
	p.stop()
	return <-p.running
}

// await waits until the commits show what is waited for.
func (p *pair) await(what string, shown func(map[int32]sink.Progress) bool) {
	p.t.Helper()
	limit, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	last := make(map[int32]sink.Progress)
	for !shown(last) {
		select {
		case at := <-p.commits:
			last[at.Partition] = at
		case err := <-p.running:
			p.t.Fatalf("the sink ended while %s: %v", what, err)
		case <-limit.Done():
			p.t.Fatalf("not in time: %s; committed last: %+v", what, last)
		}
	}
}

// drained waits until everything is committed, and holds both stores against the query.
func (p *pair) drained(s *source) {
	p.t.Helper()
	p.committedAll()
	wantEqual(p.t, s, p.history)
	wantEqual(p.t, s, p.latest)
}

// committedAll waits until everything is committed.
func (p *pair) committedAll() {
	p.t.Helper()
	behind := p.behind()
	p.await("everything is committed", func(last map[int32]sink.Progress) bool {
		for partition, end := range behind {
			if last[partition].Offset < end {
				return false
			}
		}
		return true
	})
}

// inserts adds events that are never touched again, of some contents.
func inserts(s *source, from, n int64) {
	for id := from; id < from+n; id++ {
		s.put(someEvent(id, byte(1+id%5)))
	}
}

// contents are those of the events of inserts.
func contents(s *source) {
	for n := byte(1); n <= 5; n++ {
		s.putContent(someContent(n, int64(n)*100))
	}
}
