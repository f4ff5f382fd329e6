package storetest

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/plan"
)

// Reader reads one row of the result back.
type Reader interface {
	// Read returns the row that has the key of another.
	Read(ctx context.Context, key plan.Row) (row plan.Stored, found bool, err error)
	// Kept lists the slots that Read gives back as they were put.
	Kept() []int
}

// Subject is a store that can be exercised.
type Subject interface {
	sink.Store
	Reader
}

// exercise is one case's subject with its rows.
type exercise struct {
	Specimen

	*testing.T
	Subject
}

// Exercise runs the conformance suite with the rows of a specimen. open returns an
// empty subject of its plan that the test may fill; it is called once for each case.
func Exercise(t *testing.T, with Specimen, open func(t *testing.T) Subject) {
	t.Helper()
	on := func(t *testing.T) *exercise {
		t.Helper()
		return &exercise{Specimen: with, T: t, Subject: open(t)}
	}
	for _, c := range cases(&with) {
		t.Run(with.Name+": "+c.name, func(t *testing.T) {
			e := on(t)
			for _, writes := range c.calls {
				e.apply(writes)
			}
			if c.want == nil {
				e.wantAbsent(e.Full(1))
				return
			}
			e.wantRow(*c.want)
		})
	}
	t.Run(with.Name+": shuffled order with duplicates ends on the highest version", func(t *testing.T) { on(t).shuffled() })
	t.Run(with.Name+": a large batch arrives whole", func(t *testing.T) { on(t).large() })
	t.Run(with.Name+": versions beyond 53 bits are compared exactly", func(t *testing.T) { on(t).precise() })
	t.Run(with.Name+": a row that the filter leaves out is not in the result", func(t *testing.T) { on(t).hidden() })
}

type exerciseCase struct {
	name  string
	calls [][]sink.Write
	want  *plan.Stored // of row 1; nil wants it absent
}

func cases(s *Specimen) []exerciseCase {
	full, sparse := s.Full(1), s.Sparse(1)
	moved := s.Moved(full)
	stored := func(row plan.Row, version int64) *plan.Stored { return &plan.Stored{Row: row, Version: version} }
	remove := func(version int64, row plan.Row) []sink.Write { return Remove(s.Plan, version, row) }
	return []exerciseCase{
		{"an empty call is fine", [][]sink.Write{{}}, nil},
		{"a row comes back as it was put", [][]sink.Write{{Put(10, full)}}, stored(full, 10)},
		{"a row of nulls comes back as it was put", [][]sink.Write{{Put(10, sparse)}}, stored(sparse, 10)},
		{"a replay changes nothing", [][]sink.Write{{Put(10, full)}, {Put(10, full)}}, stored(full, 10)},
		{"a lower version changes nothing", [][]sink.Write{{Put(10, full)}, {Put(9, sparse)}}, stored(full, 10)},
		{"a null replaces a value", [][]sink.Write{{Put(10, full)}, {Put(11, sparse)}}, stored(sparse, 11)},
		{"a value replaces a null", [][]sink.Write{{Put(10, sparse)}, {Put(11, full)}}, stored(full, 11)},
		{"a row moves to another place", [][]sink.Write{{Put(10, full)}, Move(s.Plan, 11, full, moved)}, stored(moved, 11)},
		{"a delete removes", [][]sink.Write{{Put(10, full)}, remove(11, full)}, nil},
		{"a delete below changes nothing", [][]sink.Write{{Put(10, full)}, remove(9, full)}, stored(full, 10)},
		{"a put below a delete stays deleted", [][]sink.Write{remove(11, full), {Put(10, full)}}, nil},
		{"a put above a delete is there", [][]sink.Write{{Put(10, full)}, remove(11, full), {Put(12, sparse)}}, stored(sparse, 12)},
		{"a replayed delete below a put changes nothing", [][]sink.Write{remove(11, full), {Put(12, full)}, remove(11, full)}, stored(full, 12)},
		{"both in one call, the higher first", [][]sink.Write{append([]sink.Write{Put(12, full)}, remove(11, full)...)}, stored(full, 12)},
	}
}

// hidden: the filter turns against a row that was in the result, and back.
func (e *exercise) hidden() {
	e.Helper()
	row := e.Full(1)
	out := []sink.Write{{Action: sink.Put, Version: 11, Row: row, Hidden: true}}
	for place := range e.Plan.Places {
		if place != e.Plan.History.Place {
			out = append(out, sink.Write{Action: sink.Delete, Version: 11, Place: place, Row: row})
		}
	}
	e.apply([]sink.Write{Put(10, row)})
	e.apply(out)
	e.wantAbsent(row)
	e.apply([]sink.Write{Put(10, row)}) // replayed
	e.wantAbsent(row)
	e.apply([]sink.Write{Put(12, row)})
	e.wantRow(plan.Stored{Row: row, Version: 12})
}

// shuffled applies the versions of several rows, some deletes, in random order
// and partly twice, in calls of random size.
func (e *exercise) shuffled() {
	e.Helper()
	const rows, versions = 20, 30
	seed := rand.Uint64()
	e.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var writes []sink.Write
	for n := int64(1); n <= rows; n++ {
		for v := int64(1); v <= versions; v++ {
			row := e.Counted(e.Full(n), v)
			// Even versions of rows divisible by three are deletes; the last is even.
			next := []sink.Write{Put(v, row)}
			if n%3 == 0 && v%2 == 0 {
				next = Remove(e.Plan, v, row)
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
		e.apply(writes[:n])
		writes = writes[n:]
	}
	for n := int64(1); n <= rows; n++ {
		row := e.Counted(e.Full(n), versions)
		if n%3 == 0 {
			e.wantAbsent(row)
			continue
		}
		e.wantRow(plan.Stored{Row: row, Version: versions})
	}
}

func (e *exercise) large() {
	e.Helper()
	const count = 3000
	writes := make([]sink.Write, 0, count)
	for n := int64(1); n <= count; n++ {
		writes = append(writes, Put(n, e.Full(n)))
	}
	e.apply(writes)
	for _, n := range []int64{1, 2, count / 2, count - 1, count} {
		e.wantRow(plan.Stored{Row: e.Full(n), Version: n})
	}
}

func (e *exercise) precise() {
	e.Helper()
	const base = int64(1)<<62 + 1
	low, high := e.Full(1), e.Sparse(1)
	e.apply([]sink.Write{Put(base+1, high)})
	e.apply([]sink.Write{Put(base, low)})
	e.wantRow(plan.Stored{Row: high, Version: base + 1})
}

func (e *exercise) apply(writes []sink.Write) {
	e.Helper()
	if err := e.Apply(e.Context(), writes); err != nil {
		e.Fatalf("apply %d writes: %v", len(writes), err)
	}
}

func (e *exercise) wantRow(want plan.Stored) {
	e.Helper()
	got, found, err := e.Read(e.Context(), want.Row)
	if err != nil || !found {
		e.Fatalf("row %v: found %v, error %v", want.Row, found, err)
	}
	if diff := cmp.Diff(e.masked(want, e.Kept()), e.masked(got, e.Kept())); diff != "" {
		e.Errorf("(-want +got):\n%s", diff)
	}
}

func (e *exercise) wantAbsent(key plan.Row) {
	e.Helper()
	if got, found, err := e.Read(e.Context(), key); err != nil || found {
		e.Errorf("got %+v, error %v, want it absent", got, err)
	}
}

// masked is a row by the names of some slots, for people.
func (e *exercise) masked(s plan.Stored, slots []int) map[string]string {
	out := map[string]string{"(version)": plan.IntOf(s.Version).String()}
	for _, slot := range slots {
		if v := s.Row[slot]; !v.IsNull() {
			out[e.Plan.Slots[slot].Name] = v.Type().String() + " " + v.String()
		}
	}
	return out
}

// Put is the write that sets a row.
func Put(version int64, row plan.Row) sink.Write {
	return sink.Write{Action: sink.Put, Version: version, Row: row}
}

// Remove is the writes of a deleted row.
func Remove(p *plan.Plan, version int64, row plan.Row) []sink.Write {
	var writes []sink.Write
	for place := range p.Places {
		writes = append(writes, sink.Write{Action: sink.Delete, Version: version, Place: place, Row: row})
	}
	return writes
}

// Move is the writes of a row that changed from one to the other.
func Move(p *plan.Plan, version int64, from, to plan.Row) []sink.Write {
	var writes []sink.Write
	for place := range p.Places {
		if !p.SamePlace(place, from, to) {
			writes = append(writes, sink.Write{Action: sink.Delete, Version: version, Place: place, Row: from})
		}
	}
	return append(writes, Put(version, to))
}
