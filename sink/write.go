package sink

import (
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// Action is what a [Write] does to the stores.
type Action uint8

// The actions. A store ignores those that concern nothing it keeps.
const (
	// Put sets a row at all of its places.
	Put Action = iota + 1
	// Delete removes a row from one place: it was deleted, has moved, or does not
	// pass the filter any more.
	Delete
	// PutLookup sets a lookup row.
	PutLookup
	// DeleteLookup removes a lookup row.
	DeleteLookup
	// ClearHistory removes every row of one join value from the history.
	ClearHistory
	// PutTotals sets a total. Of one without events only the version has to be kept, for
	// as long as an older write may come.
	PutTotals
)

// Write is one change of the stores. It takes effect where nothing of a higher
// version has: on what it names, whether that exists yet or not.
type Write struct {
	Action  Action
	Version int64 // microseconds; the version of the change that caused the write

	Row    plan.Row // Put; Delete, where it has the key of the place
	Hidden bool     // Put: the filter leaves the row out, so it goes to the history only
	Place  int      // Delete: which of the plan's places

	Lookup *plan.LookupRow // PutLookup, DeleteLookup (which uses Key)
	Join   plan.Value      // ClearHistory
	Totals *totals.Value   // PutTotals; its version is the write's
}

func deleteAt(version int64, place int, row plan.Row) Write {
	return Write{Action: Delete, Version: version, Place: place, Row: row}
}

func putLookup(row *plan.LookupRow) Write {
	w := Write{Action: PutLookup, Version: row.Version, Lookup: row}
	if !row.Exists {
		w.Action = DeleteLookup
	}
	return w
}

// Touches reports whether a Put or Delete concerns a place of the plan.
func (w *Write) Touches(p *plan.Plan, place int) bool {
	switch w.Action {
	case Put:
		return !w.Hidden || place == p.History.Place
	case Delete:
		return w.Place == place
	default:
		return false
	}
}

// coalesce drops the writes that a higher version among the same writes makes
// void, in place. A Put stays while it is the newest of one of its places. Only
// writes of rows are looked at.
func coalesce(p *plan.Plan, writes []Write) []Write {
	newest := make([]map[string]int64, len(p.Places))
	var buffer [128]byte
	for place := range newest {
		newest[place] = make(map[string]int64, len(writes))
		for i := range writes {
			w := &writes[i]
			if !w.Touches(p, place) {
				continue
			}
			key := p.AppendKey(buffer[:0], place, w.Row)
			if have, found := newest[place][string(key)]; !found || w.Version > have {
				newest[place][string(key)] = w.Version
			}
		}
	}
	kept := writes[:0]
	for _, w := range writes {
		stays := w.Action != Put && w.Action != Delete
		for place := 0; place < len(newest) && !stays; place++ {
			stays = w.Touches(p, place) && newest[place][string(p.AppendKey(buffer[:0], place, w.Row))] == w.Version
		}
		if stays {
			kept = append(kept, w)
		}
	}
	return kept
}
