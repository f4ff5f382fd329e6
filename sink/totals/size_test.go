package totals_test

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCellBytes holds what a cell says it takes against the heap.
func TestCellBytes(t *testing.T) {
	p := counted()
	for _, rows := range []int{1, 10, 100, 1000, 20_000} {
		random := rand.New(rand.NewPCG(1, 2))
		cells := make([]totals.Cell, 200_000/(rows+20))
		before, said := liveBytes(), int64(0)
		for i := range cells {
			for id := range rows {
				row := someRow(p, random, int64(id))
				row[p.Totals.Time] = plan.TimeOf(hour*3600e6 + random.Int64N(3600)*1e6)
				row[p.Totals.User] = plan.TextOf("user " + strconv.Itoa(random.IntN(1e6)))
				cells[i].Put(p.Totals, row, int64(id+1))
			}
			cells[i].Settle()
			said += int64(cells[i].Bytes())
		}
		took := liveBytes() - before + int64(len(cells))*int64(unsafe.Sizeof(totals.Cell{}))
		if of := float64(said) / float64(took); of < 0.7 || of > 1.4 {
			t.Errorf("a cell of %d rows takes %d bytes and says %d: %.2f of it", rows, took/int64(len(cells)), said/int64(len(cells)), of)
		}
		runtime.KeepAlive(cells)
	}
}
