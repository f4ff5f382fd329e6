package sink_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// breaking is the pair's configuration, in which a store is soon gone on without.
func (p *pair) breaking() sink.Config {
	cfg := p.config()
	cfg.BreakAfter = 20 * time.Millisecond
	return cfg
}

// goesOn waits until a store has everything.
func (p *pair) goesOn(store string) {
	p.t.Helper()
	behind := p.behind()
	p.await(store+" goes on", func(last map[int32]sink.Progress) bool {
		for partition, end := range behind {
			if last[partition].Stores[store] < end {
				return false
			}
		}
		return true
	})
}

// TestAStoreThatIsAwayHoldsNothingUp: the other gets everything, for longer than the wait; what is committed is what
// the one has, and what each has is told; when it is back it gets the rest.
func TestAStoreThatIsAwayHoldsNothingUp(t *testing.T) {
	for _, away := range []string{"redis", "cassandra"} {
		t.Run(away, func(t *testing.T) {
			p, s := newPair(t), newSource(partitions)
			contents(s)
			inserts(s, 1, 10)
			p.produce(s, kgo.TryCommit)
			cfg := p.breaking()
			cfg.Wait = 400 * time.Millisecond
			p.start(cfg)
			p.drained(s)
			var before [partitions]int64
			for i := range before {
				before[i] = p.committed(int32(i))
			}
			out, other, rest := p.latestOut, p.history, "cassandra"
			if away == "cassandra" { // the contents are known, so that nothing need be read
				out, other, rest = p.historyOut, p.latest, "redis"
			}
			out.down.Store(true)
			for turn := range int64(8) {
				inserts(s, 100+turn*10, 10)
				p.produce(s, kgo.TryCommit)
				p.goesOn(rest)
				if diff := cmp.Diff(s.want(), rowsOf(other)); diff != "" {
					t.Fatalf("what goes on (-query +store):\n%s", diff)
				}
				pastWait := time.After(cfg.Wait / 4)
				<-pastWait
			}
			for i, at := range p.progress() {
				if at.Offset != before[i] || at.Stores[away] != at.Offset || at.Stores[rest] <= at.Offset || at.Next == 0 {
					t.Errorf("the progress is %+v; the store that is away has what is below %d", at, before[i])
				}
			}
			calls := out.calls.Load()
			if calls > 60 { // probes with pauses of up to 3 s, and what came before the breaker opened
				t.Errorf("the store that is away got %d calls", calls)
			}
			out.down.Store(false)
			p.drained(s)
			if err := p.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAPipelineWithoutTotalsHasLanes, too: the store that is read comes back to one that counts nothing.
func TestAPipelineWithoutTotalsHasLanes(t *testing.T) {
	p, s := newPair(t), newSource(partitions)
	contents(s)
	inserts(s, 1, 10)
	p.produce(s, kgo.TryCommit)
	cfg := p.breaking()
	uncounted := *plan.Engagement(schema.TableName{Schema: "public", Name: "engagement_events"}, schema.TableName{Schema: "public", Name: "content"}, "")
	uncounted.Totals, cfg.Plan = nil, &uncounted
	p.start(cfg)
	p.committedAll()
	p.historyOut.down.Store(true)
	inserts(s, 100, 10)
	p.produce(s, kgo.TryCommit)
	p.goesOn("redis")
	p.historyOut.down.Store(false)
	p.committedAll()
	for name, model := range map[string]*storetest.Model{"cassandra": p.history, "redis": p.latest} {
		if diff := cmp.Diff(s.want(), rowsOf(model)); diff != "" {
			t.Errorf("%s (-query +store):\n%s", name, diff)
		}
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// What has to be read is waited for, also what a truncation has to find; the other partitions go on.
func TestWhatNeedsAStoreThatIsAwayWaits(t *testing.T) {
	cases := []struct {
		name string
		away func(*pair) *outage
		play func(*source)
	}{
		{"a content that is not known", func(p *pair) *outage { return p.historyOut }, func(s *source) { s.put(someEvent(50, 9)) }},
		{"a content that changes", func(p *pair) *outage { return p.historyOut }, func(s *source) { s.putContent(someContent(1, 77)) }},
		{"a truncation of events", func(p *pair) *outage { return p.latestOut }, func(s *source) { s.truncate("engagement_events") }},
		{"a truncation of contents", func(p *pair) *outage { return p.latestOut }, func(s *source) { s.truncate("content") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, s := newPair(t), newSource(partitions)
			s.putContent(someContent(9, 900))
			contents(s)
			inserts(s, 1, 10)
			p.produce(s, kgo.TryCommit)
			p.start(p.breaking())
			p.drained(s)
			if err := p.end(); err != nil { // the next one knows no content
				t.Fatal(err)
			}
			p.start(p.breaking())
			for n := byte(1); n <= 5; n++ { // but for those of events that come
				s.put(someEvent(20+int64(n), n))
			}
			p.produce(s, kgo.TryCommit)
			p.drained(s)
			out := c.away(p)
			out.down.Store(true)
			for n := byte(1); n <= 5; n++ {
				s.put(someEvent(30+int64(n), n))
			}
			c.play(s)
			for n := byte(1); n <= 5; n++ {
				s.put(someEvent(40+int64(n), n))
			}
			p.produce(s, kgo.TryCommit)
			// Also what lies before it in the same poll.
			other := map[bool]*storetest.Model{true: p.latest, false: p.history}[out == p.historyOut]
			p.await("the other goes on", func(map[int32]sink.Progress) bool {
				rows := rowsOf(other)
				for id := int64(31); id <= 35; id++ {
					if _, found := rows[id]; !found {
						return false
					}
				}
				return true
			})
			out.down.Store(false)
			p.drained(s)
			if err := p.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// pairWithoutLatest runs a sink that has stored the contents when one of its stores goes away.
func pairWithoutLatest(t *testing.T) (*pair, *source) {
	t.Helper()
	p, s := newPair(t), newSource(partitions)
	contents(s)
	p.produce(s, kgo.TryCommit)
	p.start(p.breaking())
	p.drained(s)
	p.latestOut.down.Store(true)
	return p, s
}

// Nothing is committed above what the store that is away has: who starts again begins there.
func TestWhatAStoreLacksIsReadAgainByTheNextSink(t *testing.T) {
	p, s := pairWithoutLatest(t)
	inserts(s, 1, 20)
	p.produce(s, kgo.TryCommit)
	p.goesOn("cassandra")
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	p.latestOut.down.Store(false)
	p.start(p.breaking())
	p.drained(s)
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

func TestAStoreThatLacksWhatTheTopicLost(t *testing.T) {
	p, s := pairWithoutLatest(t)
	inserts(s, 1, 40)
	p.produce(s, kgo.TryCommit)
	behind := p.behind()
	p.goesOn("cassandra")
	// A lane that has fetched the records needs them no more: one that starts anew finds none.
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	p.start(p.breaking())
	inserts(s, 41, 5)
	for i := range int32(partitions) {
		p.trim(i, behind[i])
	}
	err := <-p.running
	p.stop()
	wantFault(t, err, fault.PositionLost, "topic t partition", "no longer holds offset")
}

func TestStoresThatAreAllAwayEndTheSink(t *testing.T) {
	p, s := newPair(t), played()
	p.produce(s, kgo.TryCommit)
	p.historyOut.down.Store(true)
	p.latestOut.down.Store(true)
	cfg := p.breaking()
	cfg.Wait = 300 * time.Millisecond
	p.start(cfg)
	wantFault(t, <-p.running, fault.Unreachable, "at localhost:1", "gave up after 300ms")
	p.stop()
	if got := len(p.behind()); got != partitions {
		t.Errorf("%d partitions are behind", got)
	}
}

// What is held for a store that stays away ends the sink when nothing else moves.
func TestAStoreThatIsNeededAndStaysAwayEndsTheSink(t *testing.T) {
	p, s := newPair(t), played()
	p.produce(s, kgo.TryCommit)
	cfg := p.breaking()
	cfg.Wait = 500 * time.Millisecond
	p.start(cfg)
	p.drained(s)
	p.historyOut.down.Store(true)
	s.putContent(someContent(1, 5))
	p.produce(s, kgo.TryCommit)
	wantFault(t, <-p.running, fault.Unreachable, "cassandra at localhost:1", "gave up after 500ms")
	p.stop()
}

// TestRandomHistoriesWithOutages: stores come and go, in the middle of calls too, sinks are stopped and started; the end equals the
// query, and at each commit no store lacks an event that lies below.
func TestRandomHistoriesWithOutages(t *testing.T) {
	random, rounds := randomly(t), 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		if outages(t, random); t.Failed() {
			return
		}
	}
}

func outages(t *testing.T, random *rand.Rand) {
	t.Helper()
	p, s := newPair(t), newSource(partitions)
	for _, out := range []*outage{p.historyOut, p.latestOut} {
		out.random = rand.New(rand.NewPCG(random.Uint64(), 0))
	}
	cfg := p.breaking()
	cfg.BreakAfter = time.Duration(1+random.IntN(30)) * time.Millisecond
	p.start(cfg)
	for range 12 {
		for range 10 {
			randomStep(random, s)
		}
		p.produce(s, kgo.TryCommit)
		out := []*outage{p.historyOut, p.latestOut, p.latestOut}[random.IntN(3)]
		out.down.Store(random.IntN(2) == 0)
		if random.IntN(4) == 0 {
			if err := p.end(); err != nil {
				t.Fatal(err)
			}
			p.start(cfg)
		}
		<-time.After(time.Duration(random.IntN(150)) * time.Millisecond)
	}
	p.historyOut.down.Store(false)
	p.latestOut.down.Store(false)
	p.drained(s)
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
}
