package spool_test

import (
	"strings"
	"testing"

	"penstock/cdc/spool"
)

// take takes a message and all that comes back.
func take(t testing.TB, s *spool.Spool, data []byte) (messages int) {
	if err := s.Take(data); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			return messages
		}
		messages++
	}
}

// BenchmarkPass is what an unstreamed message costs.
func BenchmarkPass(b *testing.B) {
	s, _ := newSpool(b)
	data := row(table, strings.Repeat("x", 200))
	b.ReportAllocs()
	for b.Loop() {
		take(b, s, data)
	}
}

// BenchmarkSpool writes and replays transactions of 100,000 rows of 200 bytes; the
// rate is that of the rows, through the disk and back.
func BenchmarkSpool(b *testing.B) {
	const rows = 100_000
	s, _ := newSpool(b)
	data := of(1, row(table, strings.Repeat("x", 200)))
	b.SetBytes(int64(rows * len(data)))
	b.ReportAllocs()
	for b.Loop() {
		take(b, s, first(1))
		for range rows {
			data[4] = 1 // what the message's kind has overwritten
			take(b, s, data)
		}
		take(b, s, stop())
		if got := take(b, s, committed(1)); got != rows+2 {
			b.Fatalf("%d messages", got)
		}
	}
}
