package sink

import (
	"cmp"
	"maps"
	"slices"
)

// fit makes the tally keep no more than it may now.
func (y *tally) fit() {
	if y != nil {
		y.settling.Lock()
		defer y.settling.Unlock()
		y.evict()
	}
}

// evict forgets what was not used for longest while more is kept than may be: hours of
// join values may take half of it.
func (y *tally) evict() {
	y.mu.Lock()
	defer y.mu.Unlock()
	ration := y.ration()
	parts := evictTo(ration/2, y.wholes, func(w *whole) (int, int64) { return w.weight(), w.used })
	evictTo(ration-parts, y.cells, func(c *cell) (int, int64) { return c.Bytes(), c.used })
}

// evictTo removes entries, those first that were not used for longest, until no more
// bytes are taken than may be, and returns how many are. weigh tells the bytes of an entry and
// the turn that it was used in.
func evictTo[K comparable, V any](most int64, entries map[K]V, weigh func(V) (bytes int, used int64)) (taken int64) {
	for _, v := range entries {
		bytes, _ := weigh(v)
		taken += int64(bytes)
	}
	if taken <= most {
		return taken
	}
	byTurn := func(a, b K) int {
		_, x := weigh(entries[a])
		_, y := weigh(entries[b])
		return cmp.Compare(x, y)
	}
	for _, k := range slices.SortedFunc(maps.Keys(entries), byTurn) {
		if taken <= most {
			break
		}
		bytes, _ := weigh(entries[k])
		taken -= int64(bytes)
		delete(entries, k)
	}
	return taken
}
