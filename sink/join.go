package sink

import "slices"

// group is what a run of changes did to one content and its events, in the order
// of the partition. Changes of different contents do not concern each other.
type group struct {
	content UUID
	lookup  *Content          // the content row after the run; nil when the run did not change it
	events  map[int64]*folded // by event id
}

// folded is what a run did to one event under one content.
type folded struct {
	version int64       // of the last change
	row     *Engagement // after the last change; nil when it left
	left    []leftPlace // where it was on the way
}

type leftPlace struct {
	place   Place
	version int64 // of the change that made it leave
}

// groupByContent folds a run of changes without truncations.
func groupByContent(changes []change) map[UUID]*group {
	groups := make(map[UUID]*group)
	for i := range changes {
		c := &changes[i]
		id := c.content()
		g := groups[id]
		if g == nil {
			g = &group{content: id, events: make(map[int64]*folded)}
			groups[id] = g
		}
		g.fold(c)
	}
	return groups
}

func (g *group) fold(c *change) {
	if c.lookup != nil {
		if g.lookup == nil || c.version > g.lookup.Version {
			g.lookup = c.lookup
		}
		return
	}
	before, after := c.stream.before, c.stream.after
	id := eventID(before, after)
	f := g.events[id]
	if f == nil {
		f = &folded{version: c.version, row: after}
		g.events[id] = f
	} else if c.version > f.version {
		f.version, f.row = c.version, after
	}
	if before != nil && (after == nil || before.Place() != after.Place()) {
		f.left = append(f.left, leftPlace{place: before.Place(), version: c.version})
	}
}

func eventID(before, after *Engagement) int64 {
	if after != nil {
		return after.ID
	}
	return before.ID
}

// needsContent reports whether the group's own side depends on a content row
// that the run does not bring along.
func (g *group) needsContent() bool {
	if g.lookup != nil || g.content.IsZero() {
		return false
	}
	for _, f := range g.events {
		if f.row != nil {
			return true
		}
	}
	return false
}

// ownSide returns the writes for everything that the run itself changed: the
// content row and the events, joined with content, the row as it stands after
// the run. An event that the content change follows is written once, at the
// content's version.
func (g *group) ownSide(content Content) []Write {
	writes := make([]Write, 0, 2*len(g.events)+1)
	var trigger int64
	if g.lookup != nil {
		writes = append(writes, putContent(g.lookup))
		trigger = g.lookup.Version
	}
	for id, f := range g.events {
		for _, l := range f.left {
			writes = append(writes, deletePlace(l.version, l.place))
		}
		if f.row == nil {
			writes = append(writes, deleteEvent(f.version, id))
			continue
		}
		row := enrich(*f.row, content)
		writes = append(writes, putEvent(max(f.version, trigger), &row))
	}
	return writes
}

// otherSide returns the writes that enrich stored events again because the
// content changed. Events that the run itself changed are ownSide's, and those
// written at a higher version come again later in the partition.
func (g *group) otherSide(stored []Stored) []Write {
	writes := make([]Write, 0, len(stored))
	for i := range stored {
		s := &stored[i]
		if _, own := g.events[s.ID]; own || s.Version > g.lookup.Version {
			continue
		}
		row := enrich(s.Engagement, *g.lookup)
		writes = append(writes, putEvent(g.lookup.Version, &row))
	}
	return writes
}

// truncated returns the writes that remove, by id, the stored events which a
// truncation of the stream table at version found. Their places must stay until
// these are durable, for a replay finds the events by them.
func truncated(version int64, stored []Stored) []Write {
	writes := make([]Write, 0, len(stored))
	for i := range stored {
		if stored[i].Version < version {
			writes = append(writes, deleteEvent(version, stored[i].ID))
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
