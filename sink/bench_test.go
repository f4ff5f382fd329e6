package sink_test

import (
	"context"
	"testing"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// idle is a store that keeps nothing.
type idle struct{ sink.Lookup }

func (idle) Name() string                              { return "idle" }
func (idle) Apply(context.Context, []sink.Write) error { return nil }
func (idle) Rows(context.Context, plan.Value, []byte, func([]plan.Stored, []byte) error) error {
	return nil
}

// countingIdle is idle, with totals.
type countingIdle struct{ idle }

func (countingIdle) Hour(context.Context, plan.Value, int64, func([]plan.Stored) error) error {
	return nil
}
func (countingIdle) Totals(context.Context, plan.Value, []int64, func(*totals.Value) error) error {
	return nil
}

var _ sink.TotalsReader = countingIdle{}

// BenchmarkDecodeAndJoin is what a record costs the sink between Kafka and the
// stores: 10 contents, 1000 events, a tenth of them updated.
func BenchmarkDecodeAndJoin(b *testing.B) { benchmark(b, idle{}) }

// BenchmarkDecodeJoinAndCount is the same with totals.
func BenchmarkDecodeJoinAndCount(b *testing.B) { benchmark(b, countingIdle{}) }

func benchmark(b *testing.B, lookup sink.Lookup) {
	b.Helper()
	s := newSource(1)
	for n := byte(1); n <= 10; n++ {
		s.putContent(someContent(n, 1800))
	}
	for id := range int64(1000) {
		s.put(someEvent(id, byte(1+id%10)))
	}
	for id := range int64(100) {
		e := someEvent(id, byte(1+id%10))
		e.Time += 5_000_000
		s.put(e)
	}
	o := sink.NewOwner(0, 1, lookup, []sink.Store{idle{}})
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Apply(b.Context(), s.partitions[0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(s.partitions[0]))/b.Elapsed().Seconds(), "records/s")
}
