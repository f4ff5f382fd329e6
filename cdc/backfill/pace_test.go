package backfill

import "testing"

// TestAChunkIsOfASecond at a rate, whatever is known of the table.
func TestAChunkIsOfASecond(t *testing.T) {
	unread := []Part{{Blocks: 100}}
	read := []Part{{Blocks: 100, Done: []Span{{From: 0, To: 10}}}}
	for _, c := range []struct {
		name string
		job  Job
		rate int
		want uint32
	}{
		{"no rate", Job{Parts: unread, Estimate: 1000}, 0, 512},
		{"nothing is known: a block may be full", Job{Parts: unread, Estimate: -1}, 2910, 10},
		{"the statistics know", Job{Parts: unread, Estimate: 1000}, 200, 20},
		{"what was read says more, with what was overtaken", Job{Parts: read, Estimate: 1000, Rows: 400, Dropped: 100}, 200, 4},
		{"a rate below a block's", Job{Parts: unread, Estimate: 1000}, 3, 1},
		{"a rate beyond a chunk's", Job{Parts: unread, Estimate: 1000}, 1 << 30, 512},
		{"nothing was in what was read", Job{Parts: read, Estimate: 1000}, 200, 200},
	} {
		if got := c.job.Pace(512, c.rate); got != c.want {
			t.Errorf("%s: %d blocks, want %d", c.name, got, c.want)
		}
	}
}
