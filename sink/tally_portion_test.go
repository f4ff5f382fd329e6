package sink

import (
	"testing"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

// TestAPortionFitsIntoMemory has hours of a hundred rows settled together as long as they fit, those that are
// kept beside, and one that does not alone.
func TestAPortionFitsIntoMemory(t *testing.T) {
	join := plan.TextOf("a")
	w := &whole{hours: map[int64]part{}}
	y := &tally{wholes: map[plan.Value]*whole{join: w}, cells: map[totals.ID]*cell{}}
	var ids []touch
	for hour := range int64(1000) {
		w.hours[hour] = part{sums: totals.Sums{Events: 99}}
		ids = append(ids, touch{totals.ID{Join: join, Hour: hour}, 1})
	}
	for _, c := range []struct {
		name   string
		ration int64
		want   int
	}{
		{"ten fit", 2 * 10 * totals.CellBytes(100), 10},
		{"none fits", 1, 1},
		{"all fit", 1 << 40, settleCells},
	} {
		y.ration = func() int64 { return c.ration }
		if n, err := y.portion(t.Context(), ids); n != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", c.name, n, err, c.want)
		}
	}
	for hour := range int64(5) {
		y.cells[ids[hour].ID] = &cell{}
	}
	y.ration = func() int64 { return 2 * 10 * totals.CellBytes(100) }
	if n, err := y.portion(t.Context(), ids); n != 15 || err != nil {
		t.Errorf("with five that are kept: %d, %v, want 15", n, err)
	}
}
