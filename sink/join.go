package sink

import (
	"slices"

	"penstock/schema/deadletter"
	"penstock/sink/plan"
)

// mode is how an owner deals with lookup rows that change. The end is the same.
type mode uint8

const (
	// leads: a row that a lookup row follows in a run is written once, at the version of that.
	leads mode = iota
	// steps: every row is written at its own version first, as if the run were of one
	// record. Who had other runs wrote no other versions.
	steps
	// follows: steps, and the history is another's, who has come further or as far. It
	// tells of each row which change wrote it last; that is the one to write it by. Which
	// changes another left out, because their columns are not used or a row was newer by then, does not matter so.
	follows
)

// group is what a run of changes did to one join value and its rows, in the order
// of the partition. Changes of different join values do not concern each other.
type group struct {
	plan   *plan.Plan
	mode   mode
	join   plan.Value
	lookup *plan.LookupRow    // the lookup row after the run; nil when the run did not change it
	before *plan.LookupRow    // that before the run, if all stored rows are known to be joined with it
	turns  []*plan.LookupRow  // the lookup row after each change of it, in the order of the run
	ahead  bool               // stored rows were found that a later change has written
	rows   map[string]*folded // by the stream row's key
}

// folded is what a run did to one row under one join value.
type folded struct {
	version int64       // of the last change
	row     plan.Row    // after the last change; nil when it left
	out     bool        // it is known not to be in the result
	left    []leftPlace // where it was on the way
}

// leftPlace is a place that a row left, with the row as it was there.
type leftPlace struct {
	place   int
	row     plan.Row
	version int64 // of the change that made it leave
}

// groupByJoin folds a run of changes without truncations.
func groupByJoin(p *plan.Plan, m mode, changes []change) map[plan.Value]*group {
	groups := make(map[plan.Value]*group)
	for i := range changes {
		c := &changes[i]
		join := c.join(p)
		g := groups[join]
		if g == nil {
			g = &group{plan: p, mode: m, join: join, rows: make(map[string]*folded)}
			groups[join] = g
		}
		g.fold(c)
	}
	return groups
}

func (g *group) fold(c *change) {
	if c.lookup != nil {
		g.turns = append(g.turns, c.lookup)
		if g.lookup == nil || c.version > g.lookup.Version {
			g.lookup = c.lookup
		}
		return
	}
	s := c.stream
	var buffer [64]byte
	key := g.plan.AppendRowKey(buffer[:0], s.either())
	f := g.rows[string(key)]
	if f == nil {
		f = &folded{version: c.version, row: s.after, out: s.out}
		g.rows[string(key)] = f
	} else if c.version > f.version {
		f.version, f.row, f.out = c.version, s.after, s.out
	}
	if s.before == nil {
		return
	}
	for place := range g.plan.Places {
		result := place != g.plan.History.Place // else the history, which keeps every row
		if result && s.keyless {
			continue
		}
		if s.after == nil || result && s.out || !g.plan.SamePlace(place, s.before, s.after) {
			f.left = append(f.left, leftPlace{place: place, row: s.before, version: c.version})
		}
	}
}

// either is an image of the row, for its key.
func (s *streamChange) either() plan.Row {
	if s.after != nil {
		return s.after
	}
	return s.before
}

// needsLookup reports whether the group's own side depends on a lookup row that
// the run does not bring along.
func (g *group) needsLookup() bool {
	if g.lookup != nil || g.join.IsNull() {
		return false
	}
	for _, f := range g.rows {
		if f.row != nil {
			return true
		}
	}
	return false
}

// ownSide appends the writes for everything that the run itself changed: the
// lookup row and the rows, joined with lookup, the row as it stands after the run.
// A row that the lookup change follows is written once, at the lookup's version.
func (g *group) ownSide(writes []Write, lookup *plan.LookupRow) ([]Write, error) {
	var trigger int64
	if g.lookup != nil {
		writes = append(writes, putLookup(g.lookup))
		if g.mode == leads {
			trigger = g.lookup.Version
		}
	}
	var err error
	for _, f := range g.rows {
		for _, l := range f.left {
			writes = append(writes, deleteAt(l.version, l.place, l.row))
		}
		if f.row == nil {
			continue
		}
		if writes, err = g.put(writes, max(f.version, trigger), f.row, f.out, lookup); err != nil {
			return nil, err
		}
	}
	return writes, nil
}

// put appends the writes that set a row, enriched in place.
func (g *group) put(writes []Write, version int64, row plan.Row, out bool, lookup *plan.LookupRow) ([]Write, error) {
	if out {
		return append(writes, Write{Action: Put, Version: version, Row: row, Hidden: true}), nil
	}
	if err := g.plan.Enrich(row, lookup); err != nil {
		return nil, reasoned(deadletter.Expression, err)
	}
	passes, err := g.plan.Passes(row)
	if err != nil {
		return nil, reasoned(deadletter.Expression, err)
	}
	writes = append(writes, Write{Action: Put, Version: version, Row: row, Hidden: !passes})
	if passes {
		return writes, nil
	}
	// It may have been in the result with the lookup row as it was.
	return g.takeOut(writes, version, row), nil
}

// takeOut appends the writes that remove a row from the result.
func (g *group) takeOut(writes []Write, version int64, row plan.Row) []Write {
	for place := range g.plan.Places {
		if place != g.plan.History.Place {
			writes = append(writes, deleteAt(version, place, row))
		}
	}
	return writes
}

// sameUse reports whether the stored rows are what they would be made to, before
// being the lookup row that they were joined with: no change of the run has another
// value in a column that the result depends on. One that has, even if a later one
// takes it back, may have been written by a predecessor of the owner.
func (g *group) sameUse(before *plan.LookupRow) bool {
	for _, turn := range g.turns {
		if turn.Version <= before.Version || !g.plan.SameUse(before, turn) {
			return false
		}
	}
	return true
}

// otherSide returns the writes that enrich stored rows again because the lookup
// row changed. Rows that the run itself changed are ownSide's, and those written
// at a higher version come again later in the partition.
func (g *group) otherSide(stored []plan.Stored) ([]Write, error) {
	writes := make([]Write, 0, len(stored))
	filters, byLookup := g.plan.Filters()
	var buffer [64]byte
	for i := range stored {
		s := &stored[i]
		lookup := g.turnOf(s.Version)
		if f, own := g.rows[string(g.plan.AppendRowKey(buffer[:0], s.Row))]; lookup == nil || own && g.mode == leads {
			g.ahead = g.ahead || !own || s.Version > max(f.version, g.lookup.Version)
			continue
		}
		err := g.plan.Derive(s.Row)
		passes := true
		if err == nil && filters && !byLookup {
			passes, err = g.plan.Passes(s.Row)
		}
		if err != nil {
			return nil, reasoned(deadletter.Expression, err)
		}
		if !passes {
			continue
		}
		if writes, err = g.put(writes, lookup.Version, s.Row, false, lookup); err != nil {
			return nil, err
		}
	}
	return writes, nil
}

// turnOf is the lookup row by which a stored row of a version is written again, nil for none.
func (g *group) turnOf(version int64) (last *plan.LookupRow) {
	switch g.mode {
	case leads:
		if version <= g.lookup.Version {
			last = g.lookup
		}
	case steps:
		for before, i := g.before, 0; i < len(g.turns); i++ {
			turn := g.turns[i]
			if turn.Version >= version && (before == nil || !g.plan.SameUse(before, turn)) {
				last = turn
			}
			before = turn
		}
	case follows:
		for _, turn := range g.turns {
			if turn.Version == version {
				last = turn
			}
		}
	}
	return last
}

// truncated returns the writes that take out of the result the stored rows which a
// truncation of the stream table at version found. The history must stay until
// these are durable, for a replay finds the rows by it.
func truncated(p *plan.Plan, version int64, stored []plan.Stored) []Write {
	g := group{plan: p}
	writes := make([]Write, 0, len(stored))
	for i := range stored {
		if stored[i].Version < version && p.DeriveKeys(stored[i].Row) == nil { // else it was never there
			writes = g.takeOut(writes, version, stored[i].Row)
		}
	}
	return writes
}

// segments splits a batch at its truncations, each of which is a segment of its own.
func segments(changes []change) [][]change {
	var out [][]change
	for len(changes) > 0 {
		n := slices.IndexFunc(changes, func(c change) bool { return c.truncate != nil })
		switch n {
		case -1:
			n = len(changes)
		case 0:
			n = 1
		}
		out = append(out, changes[:n])
		changes = changes[n:]
	}
	return out
}
