package sink

import (
	"maps"

	"penstock/sink/plan"
)

// deferring says whether what is touched from now on is settled only when it is ripe: an hour of many rows
// would else be counted again with every page of a rejoin.
func (y *tally) deferring(on bool) {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.defers = on
}

// ripen makes what was deferred due.
func (y *tally) ripen() {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	for id, writes := range y.later.ids {
		y.ids[id] += writes
	}
	maps.Copy(y.cleared, y.later.cleared)
	y.later = newTouches()
}

// touchAll touches every hour of a join value, now or later.
func (y *tally) touchAll(join plan.Value, later bool) {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if later {
		y.later.cleared[join] = true
	} else {
		y.cleared[join] = true
	}
}
