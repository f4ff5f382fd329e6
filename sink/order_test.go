package sink_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// watching is a lookup that says when the events of a content are read.
type watching struct {
	sink.TotalsReader
	reads func(plan.Value)
}

func (w watching) Rows(ctx context.Context, content plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	w.reads(content)
	return w.TotalsReader.Rows(ctx, content, after, visit)
}

// lengthOf is a content's length.
func lengthOf(content plan.LookupRow) plan.Value {
	if !content.Exists {
		return plan.Value{}
	}
	return content.Values[4]
}

// TestOwnSideFirst: when a batch's owner reads the stored events of a content, the content and
// the events of the batch are in every store (J4). Whoever writes an event of it at the same time and
// reads the content after that sees it, so that at least one of the two joins them.
func TestOwnSideFirst(t *testing.T) {
	s, model, other := newSource(1), storetest.NewModel(), storetest.NewModel()
	s.put(someEvent(1, 1))
	s.put(someEvent(2, 2))
	stored := len(s.partitions[0])
	s.putContent(someContent(1, 1800))
	s.put(someEvent(3, 1))
	moved := someEvent(4, 1)
	s.put(moved)
	moved.Time += 30 * 60 * 60 * 1_000_000
	s.put(moved)
	s.remove(1)
	s.putContent(someContent(2, 900))
	one, two := engagement.JoinOf(storetest.ContentID(1)), engagement.JoinOf(storetest.ContentID(2))
	var mu sync.Mutex // the contents' events are read at the same time
	reads := map[plan.Value]int{}
	lookup := watching{model, func(content plan.Value) {
		mu.Lock()
		defer mu.Unlock()
		reads[content]++
		for name, store := range map[string]*storetest.Model{"the store that is read": model, "the other": other} {
			rows := rowsOf(store)
			if _, found := rows[1]; found {
				t.Errorf("%s has the event that the batch removes", name)
			}
			for _, id := range []int64{3, 4} {
				row, found := rows[id]
				if !found || row.LengthSeconds != engagement.Some(int64(1800)) {
					t.Errorf("%s has of event %d of the batch: %+v", name, id, row)
				}
			}
			contents, err := store.LookupRows(t.Context(), []plan.Value{one, two})
			if err != nil || lengthOf(contents[0]) != plan.IntOf(1800) || lengthOf(contents[1]) != plan.IntOf(900) {
				t.Errorf("%s has contents %+v, %v", name, contents, err)
			}
		}
	}}
	o := sink.NewOwner(0, 1, lookup, []sink.Store{model, other})
	for _, records := range [][]*kgo.Record{s.partitions[0][:stored], s.partitions[0][stored:]} {
		if err := o.Apply(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	want := map[plan.Value]int{one: 1, two: 1}
	if diff := cmp.Diff(want, reads); diff != "" {
		t.Errorf("reads of events (-want +got):\n%s", diff)
	}
	wantEqual(t, s, model)
	wantEqual(t, s, other)
}

// TestAnEventThatIsWrittenMeanwhile by another owner, as after its key has moved to another partition, is joined: he
// finds the content, for that is written before the events are read (J4).
func TestAnEventThatIsWrittenMeanwhile(t *testing.T) {
	s, model := newSource(1), storetest.NewModel()
	s.putContent(someContent(1, 1800))
	s.put(someEvent(1, 1))
	records := s.partitions[0]
	another := sink.NewOwner(0, 1, model, []sink.Store{model})
	o := sink.NewOwner(0, 1, watching{model, func(plan.Value) {
		if err := another.Apply(t.Context(), records[1:]); err != nil {
			t.Error(err)
		}
	}}, []sink.Store{model})
	if err := o.Apply(t.Context(), records[:1]); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, s, model)
}

// TestAnEventAtItsContentsVersion is written again with the content, for a store that has missed it
// (J2): the version says that the rows are equal, and not that every store has them.
func TestAnEventAtItsContentsVersion(t *testing.T) {
	s, model, other := newSource(1), storetest.NewModel(), storetest.NewModel()
	s.put(someEvent(1, 1))
	s.putContent(someContent(1, 1800))
	// The fourth call of the other store is that of the events after the content: the second is that of totals.
	failing := storetest.NewFaulty(other, map[int]storetest.Fault{4: {Err: errFlaky}})
	o := sink.NewOwner(0, 1, model, []sink.Store{model, failing})
	if err := o.Apply(t.Context(), s.partitions[0][:1]); err != nil {
		t.Fatal(err)
	}
	if err := o.Apply(t.Context(), s.partitions[0][1:]); !errors.Is(err, errFlaky) {
		t.Fatalf("got %v, want %v", err, errFlaky)
	}
	if row, version := model.Result()[0], s.version; row.Version != version {
		t.Fatalf("the event has version %d where it was read, its content %d", row.Version, version)
	}
	if err := o.Apply(t.Context(), s.partitions[0][1:]); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, s, model)
	wantEqual(t, s, other)
}
