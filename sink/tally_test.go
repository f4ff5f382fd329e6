package sink_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
	"penstock/sink/totals"
)

// wantTotals are the totals as a query on the rows computes them: by group, without
// anything of what the sink does.
func wantTotals(rows map[int64]engagement.Row) (sums map[totals.ID]totals.Sums, minutes map[totals.ID][60]totals.Minute, users map[totals.ID]int) {
	sums, minutes, users = make(map[totals.ID]totals.Sums), make(map[totals.ID][60]totals.Minute), make(map[totals.ID]int)
	seen := make(map[totals.ID]map[engagement.UUID]bool)
	for _, row := range rows {
		var join engagement.UUID
		if row.ContentID.Valid {
			join = row.ContentID.Value
		}
		hour := int64(math.Floor(float64(row.Time) / 3600e6))
		for _, id := range []totals.ID{{Join: engagement.JoinOf(join), Hour: hour}, {Join: engagement.JoinOf(join), Hour: totals.Whole}} {
			s, m := sums[id], minutes[id]
			at := &m[(row.Time-hour*3600e6)/60e6]
			s.Events++
			at.Events++
			if s.ByKind == nil {
				s.ByKind = make(map[string]int64)
			}
			if row.Type.Valid {
				s.ByKind[row.Type.Value]++
			}
			s.Millis += row.DurationMS.Value
			at.Millis += row.DurationMS.Value
			if row.Pct.Valid {
				ppm := int64(math.RoundToEven(row.Pct.Value * 1e6))
				s.Shares++
				s.ShareSum += ppm
				s.Histogram[max(0, min(ppm/100_000, 10))]++
				at.Shares++
				at.ShareSum += ppm
			}
			if seen[id] == nil {
				seen[id] = make(map[engagement.UUID]bool)
			}
			if row.UserID.Valid {
				seen[id][row.UserID.Value] = true
			}
			sums[id], users[id] = s, len(seen[id])
			if hour := id.Hour; hour != totals.Whole {
				minutes[id] = m
			}
		}
	}
	return sums, minutes, users
}

// wantEqualTotals checks every total of a model against the query, and that none is left over.
func wantEqualTotals(t *testing.T, s *source, model *storetest.Model) {
	t.Helper()
	sums, minutes, users := wantTotals(s.want())
	got, gotMinutes := make(map[totals.ID]totals.Sums), make(map[totals.ID][60]totals.Minute)
	for _, v := range model.Counted() {
		got[v.ID] = v.Sums
		if v.Hour != totals.Whole {
			gotMinutes[v.ID] = v.Minutes
		}
		// Of so few users HyperLogLog's estimate is exact.
		if int(v.Users) != users[v.ID] {
			t.Errorf("%v: %d users, the query has %d", v.ID, v.Users, users[v.ID])
		}
	}
	if diff := cmp.Diff(sums, got, cmp.Comparer(func(a, b totals.Sums) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("totals (-query +store):\n%s", diff)
	}
	if diff := cmp.Diff(minutes, gotMinutes); diff != "" {
		t.Errorf("minutes (-query +store):\n%s", diff)
	}
	if diff := cmp.Diff(minutes, model.Minutes()); diff != "" {
		t.Errorf("minutes of boards (-query +store):\n%s", diff)
	}
}

// totalsOf counts the writes of totals by what they set.
type totalsOf struct {
	sink.Store

	writes map[totals.ID]int
}

func (s totalsOf) Apply(ctx context.Context, writes []sink.Write) error {
	for _, w := range writes {
		if w.Action == sink.PutTotals {
			s.writes[w.Totals.ID]++
		}
	}
	return s.Store.Apply(ctx, writes)
}

// TestABatchWritesTheTotalsItTouches, each once and no other, with the offset that it ends with; also when there
// is no memory for two of them.
func TestABatchWritesTheTotalsItTouches(t *testing.T) {
	t.Run("together", func(t *testing.T) { testABatchWrites(t, 1<<20) })
	t.Run("one by one", func(t *testing.T) { testABatchWrites(t, 1) })
}

func testABatchWrites(t *testing.T, keep int64) {
	t.Helper()
	const hour = 60 * 60 * 1_000_000
	s, model := newSource(1), storetest.NewModel()
	store := totalsOf{model, make(map[totals.ID]int)}
	o := sink.NewOwner(0, 1, model, []sink.Store{store}).KeepTotals(keep)
	apply := func(from int, want ...totals.ID) {
		t.Helper()
		clear(store.writes)
		if err := o.Apply(t.Context(), s.partitions[0][from:]); err != nil {
			t.Fatal(err)
		}
		all := make(map[totals.ID]int)
		for _, id := range want {
			all[id] = 1
		}
		if diff := cmp.Diff(all, store.writes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, v := range model.Counted() {
			if want := int64(len(s.partitions[0]) - 1); all[v.ID] > 0 && (v.Offset != want || v.Version != s.version) {
				t.Errorf("%v includes offset %d, version %d, want %d, %d", v.ID, v.Offset, v.Version, want, s.version)
			}
		}
		wantEqual(t, s, model)
	}
	id := func(content byte, e engagement.Event) totals.ID {
		return totals.ID{Join: engagement.JoinOf(storetest.ContentID(content)), Hour: e.Time / hour}
	}
	whole := func(content byte) totals.ID {
		return totals.ID{Join: engagement.JoinOf(storetest.ContentID(content)), Hour: totals.Whole}
	}
	e, later, other := someEvent(1, 1), someEvent(2, 1), someEvent(3, 2)
	later.Time += hour
	for range 3 {
		s.put(e)
		s.put(later)
		s.put(other)
	}
	apply(0, id(1, e), id(1, later), whole(1), id(2, other), whole(2))
	from := len(s.partitions[0])
	s.put(other)
	apply(from, id(2, other), whole(2))
	from = len(s.partitions[0])
	moved := other
	moved.Time += hour
	s.put(moved)
	apply(from, id(2, other), id(2, moved), whole(2))
	from = len(s.partitions[0])
	s.putContent(someContent(1, 100)) // every hour of it
	apply(from, id(1, e), id(1, later), whole(1))
	from = len(s.partitions[0])
	s.truncate("engagement_events")
	apply(from, id(1, e), id(1, later), whole(1), id(2, other), id(2, moved), whole(2))
}

// TestAReplayLeavesTotalsAsTheyAre: versions, offsets and all, also where an event was deleted meanwhile.
func TestAReplayLeavesTotalsAsTheyAre(t *testing.T) {
	s, model := newSource(1), storetest.NewModel()
	s.putContent(someContent(1, 100))
	for id := range int64(20) {
		s.put(someEvent(id, 1))
	}
	s.remove(7)
	s.put(someEvent(30, 2))
	s.remove(30)
	if err := sink.NewOwner(0, 1, model, []sink.Store{model}).Apply(t.Context(), s.partitions[0]); err != nil {
		t.Fatal(err)
	}
	byID := func() map[totals.ID]totals.Value {
		all := make(map[totals.ID]totals.Value)
		for _, v := range model.Counted() {
			all[v.ID] = v
		}
		return all
	}
	want := byID()
	o := sink.NewOwner(0, 1, model, []sink.Store{model})
	for at := range s.partitions[0] {
		if err := o.Apply(t.Context(), s.partitions[0][at:at+1]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, byID()); diff != "" {
			t.Fatalf("after offset %d (-before +after):\n%s", at, diff)
		}
	}
}

// TestTotalsKeepToTheirMemory, however many hours are counted, and are right.
func TestTotalsKeepToTheirMemory(t *testing.T) {
	const kept = 300_000
	s, model := newSource(1), storetest.NewModel()
	o := sink.NewOwner(0, 1, model, []sink.Store{model}).KeepTotals(kept)
	for id := range int64(3000) {
		e := someEvent(id, byte(id%200))
		e.Time += id % 7 * 60 * 60 * 1_000_000
		s.put(e)
	}
	most := 0
	for some := range slices.Chunk(s.partitions[0], 100) {
		if err := o.Apply(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		most = max(most, o.TotalsBytes())
	}
	if most > kept || most < kept/2 {
		t.Errorf("at most %d bytes of totals were kept of the %d that may be", most, kept)
	}
	wantEqual(t, s, model)
}

// someUser is one of a few.
func someUser(n int) engagement.Null[engagement.UUID] {
	return engagement.Some(engagement.UUID{0: 0xaa, 15: byte(n)})
}

var kinds = []string{"play", "pause", "finish", "click"}
