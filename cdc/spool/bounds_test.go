package spool_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryDoesNotGrowWithTheTransaction takes 64 MiB in.
func TestMemoryDoesNotGrowWithTheTransaction(t *testing.T) {
	const rows, limit = 64 << 10, 4 << 20
	s, _ := newSpool(t)
	before, most := heap(), int64(0)
	mustPass(t, s, first(1))
	text := strings.Repeat("x", 1<<10)
	for i := range rows {
		mustPass(t, s, of(1, row(table, text)))
		if i%(rows/4) == 0 {
			most = max(most, heap()-before)
		}
	}
	mustPass(t, s, stop())
	if err := s.Take(committed(1)); err != nil {
		t.Fatal(err)
	}
	messages := 0
	for {
		m, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			break
		}
		if messages++; messages%(rows/4) == 0 {
			most = max(most, heap()-before)
		}
	}
	if messages != rows+2 || most > limit {
		t.Errorf("%d messages, %d bytes of memory; want %d, at most %d", messages, most, rows+2, limit)
	}
}

// TestManySubtransactions rolls back every second of 200,000.
func TestManySubtransactions(t *testing.T) {
	const subtransactions, limit = 200_000, 8 << 20
	s, _ := newSpool(t)
	before := heap()
	mustPass(t, s, first(1), stop())
	for i := range uint32(subtransactions) {
		mustPass(t, s, later(1), of(i+2, row(table, "x")), stop())
		if i%2 == 0 {
			mustPass(t, s, abort(1, i+2))
		}
	}
	if grown := heap() - before; grown > limit {
		t.Errorf("%d bytes of memory, want at most %d", grown, limit)
	}
	if got := mustPass(t, s, committed(1)); len(got) != subtransactions/2+2 {
		t.Errorf("%d messages, want %d", len(got), subtransactions/2+2)
	}
}

// TestManyTransactionsAtATime takes turns between more than a process may have
// files open.
func TestManyTransactionsAtATime(t *testing.T) {
	const transactions, rounds = 500, 3
	s, _ := newSpool(t)
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for round := range rounds {
		for xid := range uint32(transactions) {
			start := later(xid)
			if round == 0 {
				start = first(xid)
			}
			mustPass(t, s, start, of(xid, row(table, "x")), stop())
		}
	}
	if got := open(); got > before+1 {
		t.Errorf("%d files are open, want at most 1", got-before)
	}
	for xid := range uint32(transactions) {
		if got := mustPass(t, s, committed(xid)); len(got) != rounds+2 {
			t.Fatalf("transaction %d: %d messages, want %d", xid, len(got), rounds+2)
		}
	}
	if got := open(); got > before {
		t.Errorf("%d files are left open", got-before)
	}
}

func TestPassingAllocatesNothing(t *testing.T) {
	s, _ := newSpool(t)
	data := row(table, "x")
	allocs := testing.AllocsPerRun(1000, func() { take(t, s, data) })
	if allocs != 0 {
		t.Errorf("%v allocations a message, want 0", allocs)
	}
	mustPass(t, s, first(1))
	streamed := of(1, data)
	allocs = testing.AllocsPerRun(1000, func() {
		streamed[4] = 1 // what the message's kind has overwritten
		take(t, s, streamed)
	})
	if allocs != 0 {
		t.Errorf("%v allocations a streamed message, want 0", allocs)
	}
	mustPass(t, s, stop(), abort(1, 1))
}
