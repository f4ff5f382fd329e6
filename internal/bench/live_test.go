package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLatency(t *testing.T) {
	const n = 1000
	due := func(i int) time.Duration { return time.Duration(i) * time.Second }
	begun, committed, visible := make(instants, n), make(instants, n), make(instants, n)
	for i := range n {
		begun[i] = due(i) + 2*time.Millisecond
		committed[i] = begun[i] + time.Millisecond
		visible[i] = committed[i] + time.Duration(i+1)*time.Millisecond // 1 to 1000 ms
	}
	visible[0] = committed[0] - time.Millisecond // the consumer was faster than the client
	got := latency(due, begun, committed, visible)
	if diff := cmp.Diff(&Latency{P50: 500, P99: 990, P999: 999, Most: 1000, Late: 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		part float64
		want float64
	}{
		{[]float64{5}, 0.5, 5}, {[]float64{5}, 0.999, 5}, {[]float64{1, 2}, 0.5, 1}, {[]float64{1, 2, 3}, 0.5, 2}, {[]float64{1, 2, 3}, 0.99, 3},
	} {
		if got := percentile(c.of, c.part); got != c.want {
			t.Errorf("%v of %v: got %v, want %v", c.part, c.of, got, c.want)
		}
	}
}
