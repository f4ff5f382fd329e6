package sink_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// Each case is a history of the source. It is applied record by record, as one
// batch, and replayed from the start into the filled stores; each time the
// stores must equal the query.
func TestStoresEqualTheQuery(t *testing.T) {
	const hour = 60 * 60 * 1_000_000
	cases := []struct {
		name string
		play func(s *source)
	}{
		{"event after its content", func(s *source) { s.putContent(someContent(1, 1800)); s.put(someEvent(1, 1)) }},
		{"event before its content", func(s *source) { s.put(someEvent(1, 1)); s.putContent(someContent(1, 1800)) }},
		{"event without content", func(s *source) {
			e := someEvent(1, 1)
			e.ContentID = engagement.Null[engagement.UUID]{}
			s.put(e)
		}},
		{"null duration, null length, zero length", func(s *source) {
			none := someContent(2, 0)
			none.LengthSeconds = engagement.Null[int64]{}
			s.putContent(someContent(1, 0))
			s.putContent(none)
			e := someEvent(1, 1)
			e.DurationMS = engagement.Null[int64]{}
			s.put(e)
			s.put(someEvent(2, 1))
			s.put(someEvent(3, 2))
		}},
		{"content changes after the event (J1: the trigger's version must win)", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.putContent(someContent(1, 900))
		}},
		{"content changes twice after the event (J2: no ties)", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.putContent(someContent(1, 9))
			s.putContent(someContent(1, 100))
		}},
		{"foreign key switches to an older content (J3)", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 2))
			s.putContent(someContent(2, 900))
			s.putContent(someContent(2, 901))
			s.put(someEvent(1, 1))
		}},
		{"foreign key switches and comes back", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.put(someEvent(1, 2))
			s.putContent(someContent(2, 900))
			s.put(someEvent(1, 1))
			s.putContent(someContent(2, 7))
		}},
		{"event and content at once (J4: own side first)", func(s *source) {
			s.put(someEvent(1, 1))
			s.putContent(someContent(1, 1800))
			s.put(someEvent(2, 1))
		}},
		{"content deleted", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.removeContent(storetest.ContentID(1))
		}},
		{"event deleted between two content changes", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.remove(1)
			s.putContent(someContent(1, 900))
		}},
		{"event moves to another day and then to the same millisecond", func(s *source) {
			e := someEvent(1, 1)
			s.put(e)
			e.Time += 30 * hour
			s.put(e)
			e.Time++
			s.put(e)
		}},
		{"columns become null", func(s *source) {
			s.putContent(someContent(1, 1800))
			s.put(someEvent(1, 1))
			s.put(engagement.Event{ID: 1, ContentID: engagement.Some(storetest.ContentID(1)), Time: someEvent(1, 1).Time})
		}},
		{"events truncated, some inserted later", func(s *source) {
			s.putContent(someContent(1, 1800))
			for id := int64(1); id <= 9; id++ {
				s.put(someEvent(id, byte(id)))
			}
			none := someEvent(10, 1)
			none.ContentID = engagement.Null[engagement.UUID]{}
			s.put(none)
			s.truncate("engagement_events")
			s.put(someEvent(3, 1))
		}},
		{"content truncated, some inserted later", func(s *source) {
			for n := byte(1); n <= 9; n++ {
				s.putContent(someContent(n, 1800))
				s.put(someEvent(int64(n), n))
			}
			s.truncate("content")
			s.putContent(someContent(3, 900))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, batch := range []int{1, 2, 1000} {
				s, model := newSource(3), storetest.NewModel()
				c.play(s)
				for range 2 {
					applyAll(t, s, model, batch)
					wantEqual(t, s, model)
				}
			}
		})
	}
}

// applyAll lets new owners apply every partition, one after the other.
func applyAll(t *testing.T, s *source, model *storetest.Model, batch int) {
	t.Helper()
	count := int32(len(s.partitions))
	for p, records := range s.partitions {
		applyBatches(t, sink.NewOwner(int32(p), count, model, []sink.Store{model}), records, batch)
	}
}

func applyBatches(t *testing.T, o *sink.Owner, records []*kgo.Record, batch int) {
	t.Helper()
	for some := range slices.Chunk(records, batch) {
		if err := o.Apply(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
}

// randomly is a source of chance, whose seed the test's log has.
func randomly(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// The first attempt at a truncation deletes the content in the store that is
// read and fails in the other. The second no longer finds the content there, so
// only what the owner remembers could still bring it back.
func TestTruncationOfContentThatFailedHalfway(t *testing.T) {
	s, model, other := newSource(1), storetest.NewModel(), storetest.NewModel()
	s.putContent(someContent(1, 1800))
	s.truncate("content")
	s.put(someEvent(1, 1))
	failing := storetest.NewFaulty(other, map[int]storetest.Fault{2: {Err: errFlaky}})
	o := sink.NewOwner(0, 1, model, []sink.Store{model, failing})
	for _, r := range s.partitions[0] {
		err := o.Apply(t.Context(), []*kgo.Record{r})
		if r.Offset == 1 {
			if !errors.Is(err, errFlaky) {
				t.Fatalf("the truncation: got %v, want %v", err, errFlaky)
			}
			err = o.Apply(t.Context(), []*kgo.Record{r})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, s, model)
	wantEqual(t, s, other)
}

// A random history goes to random batches of racing partitions, with responses
// lost, calls cut off, owners replaced and offsets going back. Two stores of
// which each fails alone must both end equal to the query.
func TestRandomHistoriesUnderFaults(t *testing.T) {
	random, rounds := randomly(t), 40
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		s := newSource(3)
		for range 60 {
			randomStep(random, s)
		}
		first, second := storetest.NewModel(), storetest.NewModel()
		stores := []sink.Store{newFlaky(first, random), newFlaky(second, random)}
		race(t, random, s, func(p, count int32) *sink.Owner {
			return sink.NewOwner(p, count, first, stores).KeepTotals(random.Int64N(2) * random.Int64N(20) * 1500)
		})
		wantEqual(t, s, first)
		wantEqual(t, s, second)
		if t.Failed() {
			return
		}
	}
}

func randomStep(random *rand.Rand, s *source) {
	content := byte(1 + random.IntN(4))
	switch n := random.IntN(100); {
	case n < 55:
		e := someEvent(int64(1+random.IntN(8)), content)
		e.Time += int64(random.IntN(3)) * 20 * 60 * 60 * 1_000_000
		e.Time += int64(random.IntN(2)) + int64(random.IntN(3))*40*60*1_000_000
		e.UserID, e.Type = someUser(random.IntN(3)), engagement.Some(kinds[random.IntN(len(kinds))])
		if random.IntN(8) == 0 {
			e.UserID, e.Type = engagement.Null[engagement.UUID]{}, engagement.Null[string]{}
		}
		e.DurationMS = engagement.Some(int64(random.IntN(100_000)))
		if random.IntN(8) == 0 {
			e.ContentID = engagement.Null[engagement.UUID]{}
		}
		if random.IntN(8) == 0 {
			e.DurationMS = engagement.Null[int64]{}
		}
		s.put(e)
	case n < 67:
		s.remove(int64(1 + random.IntN(8)))
	case n < 90:
		s.putContent(someContent(content, int64(random.IntN(5000))))
	case n < 96:
		s.removeContent(storetest.ContentID(content))
	case n < 98:
		s.truncate("engagement_events")
	default:
		s.truncate("content")
	}
}

// race applies the partitions in random turns until all are through.
func race(t *testing.T, random *rand.Rand, s *source, newOwner func(partition, count int32) *sink.Owner) {
	t.Helper()
	count := len(s.partitions)
	owners, committed := make([]*sink.Owner, count), make([]int, count)
	for through := 0; through < count; {
		p := random.IntN(count)
		if owners[p] == nil || random.IntN(6) == 0 {
			owners[p] = newOwner(int32(p), int32(count))
			committed[p] -= random.IntN(committed[p] + 1) // its predecessor's commits were lost
		}
		records := s.partitions[p][committed[p]:]
		n := min(1+random.IntN(12), len(records))
		switch err := owners[p].Apply(t.Context(), records[:n]); {
		case errors.Is(err, errFlaky):
		case err != nil:
			t.Fatal(err)
		default:
			committed[p] += n
		}
		through = 0
		for i := range committed {
			if committed[i] == len(s.partitions[i]) {
				through++
			}
		}
	}
}

var errFlaky = errors.New("flaky")

func newFlaky(store sink.Store, random *rand.Rand) *flaky {
	return &flaky{Store: store, random: rand.New(rand.NewPCG(random.Uint64(), 0))}
}

// flaky applies a part of some calls, or all of it, and fails.
type flaky struct {
	sink.Store

	mu     sync.Mutex
	random *rand.Rand // guarded by mu
}

func (f *flaky) Apply(ctx context.Context, writes []sink.Write) error {
	f.mu.Lock()
	n, fails := f.random.IntN(len(writes)+1), f.random.IntN(10) == 0
	shuffled := slices.Clone(writes)
	f.random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	f.mu.Unlock()
	if !fails {
		return f.Store.Apply(ctx, shuffled)
	}
	if err := f.Store.Apply(ctx, shuffled[:n]); err != nil {
		return err
	}
	return errFlaky
}

// TestAnEmptyStoreBesideAFullHistory: a predecessor that knew less has written the rows at the version of a change
// that looks as if it used no other columns. Whoever reads all again must not leave it out.
func TestAnEmptyStoreBesideAFullHistory(t *testing.T) {
	s, history, latest := newSource(1), storetest.NewModel(), storetest.NewModel()
	s.putContent(someContent(1, 100))
	s.put(someEvent(1, 1))
	s.putContent(someContent(1, 200))
	unused := someContent(1, 200)
	unused.PublishTime = engagement.Some[int64](1)
	s.putContent(unused)
	owner := func(stores ...sink.Store) *sink.Owner { return sink.NewOwner(0, 1, history, stores) }
	o := owner(history, latest)
	for i, r := range s.partitions[0] {
		if i == 3 {
			o = owner(history, latest)
		}
		if err := o.Apply(t.Context(), []*kgo.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, s, latest)
	latest = storetest.NewModel()
	o = owner(history, latest)
	for _, r := range s.partitions[0] {
		if err := o.Apply(t.Context(), []*kgo.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, s, latest)
}
