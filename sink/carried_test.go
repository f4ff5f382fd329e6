package sink_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// counting counts how often stored rows are read to be joined again.
type counting struct {
	sink.TotalsReader
	reads atomic.Int64
}

func (c *counting) Rows(ctx context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	c.reads.Add(1)
	return c.TotalsReader.Rows(ctx, join, after, visit)
}

// contentAt is a content of a length and a time of publication; the result has the first only.
func (s *source) contentAt(length, published int64) {
	c := someContent(1, length)
	c.PublishTime.Value = published
	s.putContent(c)
}

// TestStoredRowsAreReadOnlyIfTheirResultChanges: the first change that an owner sees, those of a used column, and
// what was not finished.
func TestStoredRowsAreReadOnlyIfTheirResultChanges(t *testing.T) {
	s, model := newSource(1), storetest.NewModel()
	lookup := &counting{TotalsReader: model}
	stores := []sink.Store{model}
	o := sink.NewOwner(0, 1, lookup, stores)
	done := 0
	step := func(what string, wantReads int64, changes ...func()) {
		t.Helper()
		for _, change := range changes {
			change()
		}
		before := lookup.reads.Load()
		if err := o.Apply(t.Context(), s.partitions[0][done:]); err != nil {
			t.Fatal(err)
		}
		done = len(s.partitions[0])
		if got := lookup.reads.Load() - before; got != wantReads {
			t.Errorf("%s: stored rows were read %d times, want %d", what, got, wantReads)
		}
		wantEqual(t, s, model)
	}
	content := func(length, published int64) func() { return func() { s.contentAt(length, published) } }
	event := func(id int64) func() { return func() { s.put(someEvent(id, 1)) } }
	step("the first", 1, event(1), content(100, 1))
	step("an unused column", 0, content(100, 2))
	step("an unused column beside an event", 0, event(2), content(100, 3))
	step("a used column", 1, content(200, 3))
	step("events only", 0, event(3))
	step("an unused column after events", 0, content(200, 4))
	step("there and back in one run", 1, content(300, 4), content(200, 5))
	step("deleted", 1, func() { s.removeContent(storetest.ContentID(1)) })
	step("there again", 1, content(200, 5))
	step("truncated", 1, func() { s.truncate("content") })
	step("there after the truncation", 1, content(200, 6))
	step("an unused column again", 0, content(200, 7))
	o = sink.NewOwner(0, 1, lookup, stores)
	step("the first of another owner", 1, content(200, 8))
	o = sink.NewOwner(0, 1, lookup, stores)
	step("events of a third one", 0, event(4))
	step("what it only has read", 1, content(200, 9))
	step("replayed, with the truncation between", 3, func() { done = 0 })
}

// A change whose stored rows were joined in part, and is then left out, as when it becomes a
// dead letter that is discarded, is no reason to leave them so; whether the run in which it
// was is applied up to it first, or was of it alone.
func TestRowsThatWereJoinedInPartAreJoinedAgain(t *testing.T) {
	for name, alone := range map[string]bool{"in a run": false, "alone": true} {
		t.Run(name, func(t *testing.T) {
			s, model, other := newSource(1), storetest.NewModel(), storetest.NewModel()
			for id := range int64(6) {
				s.put(someEvent(id, 1))
			}
			s.contentAt(100, 1)
			if alone {
				s.contentAt(100, 2)
			}
			sound := len(s.partitions[0])
			if !alone {
				s.contentAt(100, 2)
			}
			s.contentAt(999, 3) // this one is left out
			bad := len(s.partitions[0]) - 1
			s.contentAt(100, 4)
			faults := map[int]storetest.Fault{}
			failing := storetest.NewFaulty(other, faults)
			o := sink.NewOwner(0, 1, model, []sink.Store{model, failing})
			apply := func(records []*kgo.Record) {
				t.Helper()
				if err := o.Apply(t.Context(), records); err != nil {
					t.Fatal(err)
				}
			}
			apply(s.partitions[0][:sound])
			faults[failing.Calls()+2] = storetest.Fault{Writes: 1, Err: errFlaky} // the first page of stored rows
			if err := o.Apply(t.Context(), s.partitions[0][sound:bad+1]); !errors.Is(err, errFlaky) {
				t.Fatalf("got %v", err)
			}
			apply(s.partitions[0][sound:bad])
			apply(s.partitions[0][bad+1:])
			wantEqual(t, s, model)
			wantEqual(t, s, other)
		})
	}
}
