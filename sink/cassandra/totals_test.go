package cassandra_test

import (
	"context"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/cassandra"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/storetest"
	"penstock/sink/totals"
)

// counting is a store whose totals can be read.
type counting struct{ *cassandra.Store }

func (c counting) ReadTotal(ctx context.Context, id totals.ID) (events, millis int64, found bool, err error) {
	return storetest.ReadTotal(ctx, c, id)
}

const hour = 487_816

func TestTotalsConformance(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	session := raw(t, cfg)
	storetest.ExerciseTotals(t, hour, func(t *testing.T) storetest.TotalsSubject {
		t.Helper()
		for _, table := range []string{"engagement_hours", "engagement_totals"} {
			if err := session.Query("TRUNCATE " + table).ExecContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return counting{s}
	})
}

// TestTotalsComeBackWhole: what was written is read, to the last bit, and every cell bears its version.
func TestTotalsComeBackWhole(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	first, whole := storetest.Total(1, hour, 41), storetest.Total(1, totals.Whole, 42)
	var sketch totals.Cell
	row := someRow()
	row.UserID = engagement.Some(engagement.UUID{1})
	sketch.Load(storetest.Engagement("").Plan.Totals, row.Slots(), 1)
	v, _ := sketch.Settle()
	first.Totals.Sketch, whole.Totals.Sketch = v.Sketch, v.Sketch
	none := storetest.Total(2, hour, -43)
	none.Totals.Join = plan.Value{} // events without content
	if err := s.Apply(t.Context(), []sink.Write{first, whole, none}); err != nil {
		t.Fatal(err)
	}
	var got []totals.Value
	for _, join := range []plan.Value{first.Totals.Join, {}} {
		err := s.Totals(t.Context(), join, nil, func(v *totals.Value) error {
			got = append(got, *v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	first.Totals.Changed, none.Totals.Changed = 0, 0
	if diff := cmp.Diff([]totals.Value{*whole.Totals, *first.Totals, *none.Totals}, got, cmp.Comparer(func(a, b totals.Sums) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var seconds, mean float64
	var bars []int64
	var written [3]int64
	const query = "SELECT seconds, pct_mean, pct_histogram, writetime(events), writetime(minutes), writetime(events_by_type) FROM engagement_hours WHERE content_id = ?"
	err := raw(t, cfg).Query(query, gocql.UUID(storetest.ContentID(1))).ScanContext(t.Context(), &seconds, &mean, &bars, &written[0], &written[1], &written[2])
	if err != nil || seconds != 0.082 || mean != 0.75 || !slices.Equal(bars, []int64{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}) || written != [3]int64{41, 41, 41} {
		t.Errorf("got %v s, %v, %v, written at %v, %v", seconds, mean, bars, written, err)
	}
}

// TestHoursOfTheHistory: an hour is read to its last millisecond, with what totals are made of.
func TestHoursOfTheHistory(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	const begin = int64(hour * time.Hour / time.Microsecond)
	var writes []sink.Write
	for i, at := range []int64{begin - 1, begin, begin + 1_799_000_001, begin + 3_599_999_999, begin + 3_600_000_000, begin + 86_400_000_000, -1} {
		row := someRow()
		row.ID, row.Time, row.UserID, row.Pct = int64(i), at, engagement.Some(engagement.UUID{1}), engagement.Some(0.25)
		writes = append(writes, put(int64(i+1), row))
	}
	for id := int64(100); id < 2600; id++ { // more than a page
		row := someRow()
		row.ID, row.Time = id, begin+7_200_000_000+id
		writes = append(writes, put(id, row))
	}
	if err := s.Apply(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	read := func(hour int64) (rows []engagement.Stored) {
		err := s.Hour(t.Context(), engagement.JoinOf(storetest.ContentID(1)), hour, func(page []plan.Stored) error {
			for _, stored := range page {
				rows = append(rows, engagement.FromStored(stored))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	rows := read(hour)
	if len(rows) != 3 || rows[0].ID != 1 || rows[1].ID != 2 || rows[2].ID != 3 {
		t.Fatalf("got %+v", rows)
	}
	if r := rows[1]; r.Time != begin+1_799_000_001 || r.Version != 3 || r.UserID.Value != (engagement.UUID{1}) || r.Type.Value != "play" || r.DurationMS.Value != 30_000 || r.Pct.Value != 0.25 {
		t.Errorf("got %+v", r)
	}
	if rows := read(-1); len(rows) != 1 || rows[0].Time != -1 {
		t.Errorf("before the epoch: got %+v", rows)
	}
	if rows := read(hour + 2); len(rows) != 2500 {
		t.Errorf("got %d rows of more than a page", len(rows))
	}
}

// TestEmptyTotalsGoInTime: a total that became empty is not for ever.
func TestEmptyTotalsGoInTime(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	if err := s.Apply(t.Context(), []sink.Write{storetest.Total(1, hour, 5), storetest.Total(1, totals.Whole, -6), storetest.Total(1, hour-1, -6)}); err != nil {
		t.Fatal(err)
	}
	for query, lives := range map[string]bool{
		"SELECT ttl(events) FROM engagement_hours WHERE content_id = ? LIMIT 1": true, "SELECT ttl(events) FROM engagement_totals WHERE content_id = ?": false,
		"SELECT ttl(events) FROM engagement_hours WHERE content_id = ? AND hour < 1756137600000": false,
	} {
		var left *int
		if err := raw(t, cfg).Query(query, gocql.UUID(storetest.ContentID(1))).ScanContext(t.Context(), &left); err != nil {
			t.Fatal(err)
		}
		if (left == nil) != lives || left != nil && (*left > 604_800 || *left < 604_000) {
			t.Errorf("%s: got %v", query, left)
		}
	}
}

// TestTablesOfTotalsThatAreOthers are not written to.
func TestTablesOfTotalsThatAreOthers(t *testing.T) {
	cfg := config(t)
	if err := raw(t, cfg).Query("CREATE TABLE engagement_totals (content_id uuid PRIMARY KEY, events counter)").ExecContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := cassandra.Open(t.Context(), cfg, nil)
	if fault.KindOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
}
