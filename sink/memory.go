package sink

import (
	"sync/atomic"
)

// memory is what the owners of a sink's partitions, those of lanes too, keep between
// batches at most. It is divided evenly among those that there are, so that it does not
// grow with them. It may be used concurrently.
type memory struct {
	lookups, totals int64 // bytes
	owners          atomic.Int64
}

// share is an owner's part of a number of bytes.
func (m *memory) share(bytes int64) int64 { return max(bytes/max(m.owners.Load(), 1), 1) }

// ration is one owner's part.
type ration struct {
	*memory

	returned atomic.Bool
}

func (m *memory) ration() *ration {
	m.owners.Add(1)
	return &ration{memory: m}
}

// giveBack leaves the part to others.
func (r *ration) giveBack() {
	if !r.returned.Swap(true) {
		r.owners.Add(-1)
	}
}
