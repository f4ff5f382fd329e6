package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
)

// Reader reads one event back by its id.
type Reader interface {
	Event(ctx context.Context, id int64) (row sink.Stored, found bool, err error)
}

// Subject is a store that can be exercised.
type Subject interface {
	sink.Store
	Reader
}

// Exercise runs the conformance suite. open returns an empty subject that the
// test may fill; it is called once for each case. A subject need not keep payloads.
func Exercise(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			for _, writes := range c.calls {
				apply(t, s, writes)
			}
			if c.want == nil {
				wantAbsent(t, s, 1)
				return
			}
			wantRow(t, s, *c.want)
		})
	}
	t.Run("shuffled order with duplicates ends on the highest version", func(t *testing.T) { shuffled(t, open(t)) })
	t.Run("a large batch arrives whole", func(t *testing.T) { large(t, open(t)) })
	t.Run("versions beyond 53 bits are compared exactly", func(t *testing.T) { precise(t, open(t)) })
}

type exerciseCase struct {
	name  string
	calls [][]sink.Write
	want  *sink.Stored // of event 1; nil wants it absent
}

func cases() []exerciseCase {
	full, sparse := fullRow(1), sparseRow(1)
	moved := full
	moved.Time += 25 * 60 * 60 * 1_000_000
	return []exerciseCase{
		{"an empty call is fine", [][]sink.Write{{}}, nil},
		{"a row comes back as it was put", [][]sink.Write{{Put(10, full)}}, &sink.Stored{Row: full, Version: 10}},
		{"a row of nulls comes back as it was put", [][]sink.Write{{Put(10, sparse)}}, &sink.Stored{Row: sparse, Version: 10}},
		{"a replay changes nothing", [][]sink.Write{{Put(10, full)}, {Put(10, full)}}, &sink.Stored{Row: full, Version: 10}},
		{"a lower version changes nothing", [][]sink.Write{{Put(10, full)}, {Put(9, sparse)}}, &sink.Stored{Row: full, Version: 10}},
		{"a null replaces a value", [][]sink.Write{{Put(10, full)}, {Put(11, sparse)}}, &sink.Stored{Row: sparse, Version: 11}},
		{"a value replaces a null", [][]sink.Write{{Put(10, sparse)}, {Put(11, full)}}, &sink.Stored{Row: full, Version: 11}},
		{"a row moves to another day", [][]sink.Write{{Put(10, full)}, Move(11, full, moved)}, &sink.Stored{Row: moved, Version: 11}},
		{"a delete removes", [][]sink.Write{{Put(10, full)}, Remove(11, full)}, nil},
		{"a delete below changes nothing", [][]sink.Write{{Put(10, full)}, Remove(9, full)}, &sink.Stored{Row: full, Version: 10}},
		{"a put below a delete stays deleted", [][]sink.Write{Remove(11, full), {Put(10, full)}}, nil},
		{"a put above a delete is there", [][]sink.Write{{Put(10, full)}, Remove(11, full), {Put(12, sparse)}}, &sink.Stored{Row: sparse, Version: 12}},
		{"a replayed delete below a put changes nothing", [][]sink.Write{Remove(11, full), {Put(12, full)}, Remove(11, full)}, &sink.Stored{Row: full, Version: 12}},
		{"both in one call, the higher first", [][]sink.Write{append([]sink.Write{Put(12, full)}, Remove(11, full)...)}, &sink.Stored{Row: full, Version: 12}},
	}
}

// shuffled applies the versions of several events, some deletes, in random order
// and partly twice, in calls of random size.
func shuffled(t *testing.T, s Subject) {
	const events, versions = 20, 30
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var writes []sink.Write
	for id := int64(1); id <= events; id++ {
		for v := int64(1); v <= versions; v++ {
			row := fullRow(id)
			row.DurationMS = sink.Some(v)
			// Even versions of events divisible by three are deletes; the last is even.
			next := []sink.Write{Put(v, row)}
			if id%3 == 0 && v%2 == 0 {
				next = Remove(v, row)
			}
			writes = append(writes, next...)
			if random.IntN(4) == 0 {
				writes = append(writes, next...)
			}
		}
	}
	random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
	for len(writes) > 0 {
		n := min(1+random.IntN(100), len(writes))
		apply(t, s, writes[:n])
		writes = writes[n:]
	}
	for id := int64(1); id <= events; id++ {
		if id%3 == 0 {
			wantAbsent(t, s, id)
			continue
		}
		row := fullRow(id)
		row.DurationMS = sink.Some(int64(versions))
		wantRow(t, s, sink.Stored{Row: row, Version: versions})
	}
}

func large(t *testing.T, s Subject) {
	const count = 3000
	writes := make([]sink.Write, 0, count)
	for id := int64(1); id <= count; id++ {
		writes = append(writes, Put(id, fullRow(id)))
	}
	apply(t, s, writes)
	for _, id := range []int64{1, 2, count / 2, count - 1, count} {
		wantRow(t, s, sink.Stored{Row: fullRow(id), Version: id})
	}
}

func precise(t *testing.T, s Subject) {
	const base = int64(1)<<62 + 1
	low, high := fullRow(1), sparseRow(1)
	apply(t, s, []sink.Write{Put(base+1, high)})
	apply(t, s, []sink.Write{Put(base, low)})
	wantRow(t, s, sink.Stored{Row: high, Version: base + 1})
}

func apply(t *testing.T, s Subject, writes []sink.Write) {
	t.Helper()
	if err := s.Apply(t.Context(), writes); err != nil {
		t.Fatalf("apply %d writes: %v", len(writes), err)
	}
}

func wantRow(t *testing.T, s Subject, want sink.Stored) {
	t.Helper()
	got, found, err := s.Event(t.Context(), want.ID)
	if err != nil || !found {
		t.Fatalf("event %d: found %v, error %v", want.ID, found, err)
	}
	got.Payload, want.Payload = sink.Null[string]{}, sink.Null[string]{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event %d (-want +got):\n%s", want.ID, diff)
	}
}

func wantAbsent(t *testing.T, s Subject, id int64) {
	t.Helper()
	if got, found, err := s.Event(t.Context(), id); err != nil || found {
		t.Errorf("event %d: got %+v, error %v, want it absent", id, got, err)
	}
}

// Put is the write that sets a row.
func Put(version int64, row sink.Row) sink.Write {
	return sink.Write{Action: sink.PutEvent, Version: version, Row: &row, Place: row.Place()}
}

// Remove is the writes of a deleted row.
func Remove(version int64, row sink.Row) []sink.Write {
	return []sink.Write{
		{Action: sink.DeletePlace, Version: version, Place: row.Place()},
		{Action: sink.DeleteEvent, Version: version, Place: sink.Place{Event: row.ID}},
	}
}

// Move is the writes of a row whose place changed.
func Move(version int64, from, to sink.Row) []sink.Write {
	return []sink.Write{{Action: sink.DeletePlace, Version: version, Place: from.Place()}, Put(version, to)}
}

// ContentID is a content id made from a number.
func ContentID(n byte) sink.UUID { return sink.UUID{0: 0x11, 15: n} }

func fullRow(id int64) sink.Row {
	return sink.Row{
		Engagement: sink.Engagement{
			ID: id, ContentID: sink.Some(ContentID(byte(id % 50))), UserID: sink.Some(sink.UUID{0: 0xaa, 15: 1}),
			Type: sink.Some("play"), Time: 1_756_138_420_436_907 + id*1_000_003, DurationMS: sink.Some[int64](30000),
			Device: sink.Some("web-safari\x01 \"ü\""), Payload: sink.Some(fmt.Sprintf(`{"n": %d}`, id)),
		},
		Seconds: sink.Some(30.0), Pct: sink.Some(30.0 / 1800), ContentType: sink.Some("podcast"),
		Slug: sink.Some("daily-news-ep1"), Title: sink.Some("Daily News – Episode 1"), LengthSeconds: sink.Some[int64](1800),
	}
}

// sparseRow has NULL wherever a row can; its place is fullRow's content, for a
// row that loses its content is another place.
func sparseRow(id int64) sink.Row {
	full := fullRow(id)
	return sink.Row{Engagement: sink.Engagement{ID: id, ContentID: full.ContentID, Time: full.Time}}
}
