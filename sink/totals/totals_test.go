package totals_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// counted is the preset, whose rows are counted.
func counted() *plan.Plan {
	return plan.Engagement(schema.TableName{Schema: "public", Name: "events"}, schema.TableName{Schema: "public", Name: "content"}, "p:event:")
}

const hour = 487_816 // since the epoch

func someRow(p *plan.Plan, random *rand.Rand, id int64) plan.Row {
	row, t := p.NewRow(), p.Totals
	row[t.ID] = plan.IntOf(id)
	row[t.Time] = plan.TimeOf(hour*3600e6 + random.Int64N(2)*1_800_000_000 + random.Int64N(3))
	kinds := []plan.Value{{}, plan.TextOf("play"), plan.TextOf("pause"), plan.TextOf("")}
	row[t.Kind] = kinds[random.IntN(len(kinds))]
	if random.IntN(4) > 0 {
		row[t.User] = plan.TextOf("user " + strconv.Itoa(random.IntN(50)))
	}
	if random.IntN(4) > 0 {
		row[t.Millis] = plan.IntOf(random.Int64N(1e6) - 1000)
	}
	if random.IntN(4) > 0 {
		row[t.Share] = plan.FloatOf(random.Float64()*1.3 - 0.1)
	}
	return row
}

// naive adds rows up as a query would, group by group.
func naive(t *plan.Totals, rows []plan.Row) (totals.Value, int) {
	var v totals.Value
	users := make(map[plan.Value]bool)
	for _, row := range rows {
		m := &v.Minutes[row[t.Time].Int()/60e6%60]
		v.Events++
		m.Events++
		if kind := row[t.Kind]; !kind.IsNull() {
			if v.ByKind == nil {
				v.ByKind = make(map[string]int64)
			}
			v.ByKind[kind.Text()]++
		}
		if user := row[t.User]; !user.IsNull() {
			users[user] = true
		}
		v.Millis += row[t.Millis].Int()
		m.Millis += row[t.Millis].Int()
		if share := row[t.Share]; !share.IsNull() {
			ppm := int64(math.RoundToEven(share.Float() * 1e6))
			v.Shares++
			m.Shares++
			v.ShareSum += ppm
			m.ShareSum += ppm
			bar := 0
			for _, bound := range []int64{100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000, 1_000_000} {
				if ppm >= bound {
					bar++
				}
			}
			v.Histogram[bar]++
		}
	}
	return v, len(users)
}

// kept is the history as a model has it.
type kept struct {
	row     plan.Row
	version int64
	gone    bool
}

// histories is a history with a cell that is told of its writes.
type histories struct {
	plan    *plan.Totals
	rows    map[string]kept
	cell    totals.Cell
	version int64
	again   int // how often the cell had to be read
}

func (h *histories) load() {
	h.cell.Anew(h.version)
	for _, s := range h.rows {
		if !s.gone {
			h.cell.Load(h.plan, s.row, s.version)
		}
	}
}

// write makes a write of a version that may not be the newest.
func (h *histories) write(row plan.Row, back int64, gone bool) {
	h.version++
	at := h.version - min(h.version, back)
	key := row[h.plan.ID].String() + " " + strconv.FormatInt(plan.Millis(row[h.plan.Time]), 10)
	have := h.rows[key]
	if have.version < at {
		h.rows[key] = kept{row: row, version: at, gone: gone}
	}
	switch {
	case have.version == at: // no two writes of one version differ
	case gone:
		h.cell.Remove(h.plan, row, at)
	case !h.cell.Put(h.plan, row, at):
		h.again++
		h.load()
	}
}

// TestCellIsWhatTheHistoryHolds: writes come in any order, again and again, as they may in
// the stores; what a cell counts up is what counting the rows that are left gives,
// whether it saw all of it or was read in between, down to the bytes.
func TestCellIsWhatTheHistoryHolds(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := counted()
	again := 0
	for range 300 {
		h := &histories{plan: p.Totals, rows: make(map[string]kept)}
		for range 200 {
			h.write(someRow(p, random, random.Int64N(12)), random.Int64N(2)*random.Int64N(20), random.IntN(3) == 0)
			if random.IntN(20) == 0 {
				h.cell.Settle()
			}
			if random.IntN(40) == 0 {
				h.load()
			}
		}
		var rows []plan.Row
		for _, s := range h.rows {
			if !s.gone {
				rows = append(rows, s.row)
			}
		}
		got, _ := h.cell.Settle()
		h.load()
		read, _ := h.cell.Settle()
		want, users := naive(p.Totals, rows)
		for name, v := range map[string]totals.Value{"counted on": got, "read": read} {
			if !v.Sums.Equal(&want.Sums) || v.Minutes != want.Minutes || v.Users != int64(users) {
				t.Fatalf("%s: %+v\nby the rows: %+v, %d users", name, v, want, users)
			}
		}
		if got.Digest() != read.Digest() {
			t.Fatal("what was counted on has other bytes than what was read")
		}
		again += h.again
	}
	if again < 100 {
		t.Errorf("only %d times a cell had to be read again", again)
	}
}

func TestSharesAreRoundedAsPostgresDoes(t *testing.T) {
	p := counted()
	for share, want := range map[float64]int64{
		0: 0, 0.0000005: 0, 0.0000015: 2, 0.0000025: 2, 30.0 / 1800: 16667, 1: 1_000_000, -0.5: -500_000, 2147483.647: 2_147_483_647_000,
		math.Inf(1): math.MaxInt64, math.Inf(-1): math.MinInt64, math.NaN(): 0,
	} {
		var cell totals.Cell
		row := p.NewRow()
		row[p.Totals.Time], row[p.Totals.Share] = plan.TimeOf(0), plan.FloatOf(share)
		cell.Load(p.Totals, row, 1)
		if v, _ := cell.Settle(); v.ShareSum != want {
			t.Errorf("%v: got %d, want %d", share, v.ShareSum, want)
		}
	}
}

// sketchOf is a cell's of users from one number to another, in steps.
func sketchOf(p *plan.Plan, users []int, settles bool) totals.Value {
	var cell totals.Cell
	for n, user := range users {
		row := p.NewRow()
		row[p.Totals.ID], row[p.Totals.Time], row[p.Totals.User] = plan.IntOf(int64(user)), plan.TimeOf(0), plan.TextOf("user "+strconv.Itoa(user))
		if cell.Load(p.Totals, row, 1); settles && n%777 == 0 {
			cell.Settle()
		}
	}
	v, _ := cell.Settle()
	return v
}

// TestSketches: the same users give the same bytes, and their estimate is as near as it is said to be.
func TestSketches(t *testing.T) {
	p := counted()
	for _, count := range []int{0, 1, 100, 5_000, 100_000} {
		users := make([]int, count)
		for i := range users {
			users[i] = i
		}
		first := sketchOf(p, users, false)
		if off := math.Abs(float64(first.Users) - float64(count)); off > 3*totals.StandardError*float64(count) {
			t.Errorf("%d users: estimated %d", count, first.Users)
		}
		slices.Reverse(users)
		if again := sketchOf(p, users, true); string(again.Sketch) != string(first.Sketch) {
			t.Errorf("%d users: another order gives other bytes", count)
		}
		var merged totals.Sketch
		for _, some := range [][]int{users[:count/2], users[count/3:]} {
			if v := sketchOf(p, some, false); merged.Merge(v.Sketch) != nil {
				t.Fatal("a sketch cannot be read")
			}
		}
		if string(merged.Bytes()) != string(first.Sketch) {
			t.Errorf("%d users: merging gives other bytes", count)
		}
	}
	var none totals.Sketch
	if err := none.Merge([]byte("x")); err == nil {
		t.Error("nonsense is taken for a sketch")
	}
}

func TestMinutesComeBack(t *testing.T) {
	want := totals.Value{}
	want.Minutes[0] = totals.Minute{Events: 1}
	want.Minutes[59] = totals.Minute{Events: 3, Millis: -7, Shares: 2, ShareSum: math.MaxInt64}
	data := want.AppendMinutes(nil)
	var got totals.Value
	if err := got.ParseMinutes(data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Minutes, got.Minutes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := 1; n < len(data); n++ {
		if err := got.ParseMinutes(data[:n]); err == nil && n != 5 { // five bytes are the first minute
			t.Errorf("%d of %d bytes are taken for minutes", n, len(data))
		}
	}
	if err := got.ParseMinutes([]byte{60, 0, 0, 0, 0}); err == nil {
		t.Error("there is a sixty-first minute")
	}
}

// TestWhatIsSaidAgainIsWrittenAgain: a row that is as it was, and one that is not there, have their minutes written.
func TestWhatIsSaidAgainIsWrittenAgain(t *testing.T) {
	p := counted()
	row := p.NewRow()
	row[p.Totals.ID], row[p.Totals.Time] = plan.IntOf(1), plan.TimeOf(hour*3600e6+7*60e6)
	gone := p.NewRow()
	gone[p.Totals.ID], gone[p.Totals.Time] = plan.IntOf(2), plan.TimeOf(hour*3600e6+9*60e6)
	var c totals.Cell
	c.Anew(0)
	c.Load(p.Totals, row, 5)
	c.Settle()
	if v, _ := c.Settle(); v.Changed != 0 {
		t.Errorf("changed %x when nothing was said", v.Changed)
	}
	if !c.Put(p.Totals, row, 5) {
		t.Error("a row that is there has to be read again")
	}
	c.Remove(p.Totals, gone, 6)
	if v, _ := c.Settle(); v.Changed != 1<<7|1<<9 || v.Events != 1 {
		t.Errorf("changed %x with %d events, want minutes 7 and 9, and 1", v.Changed, v.Events)
	}
}
