package stores

import (
	"context"
	"strconv"

	"penstock/internal/chaos/ledger"
)

// check is one comparison under way.
type check struct {
	verdict          *Verdict
	past             *Past
	events, contents rows
}

// Check holds both stores against SQL and against the input topic. Nobody may write
// meanwhile, and the sink must have had all that past has. It connects anew.
func (t Target) Check(ctx context.Context, past *Past) (*Verdict, error) {
	s, err := Open(t)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	events, contentRows, err := s.truth(ctx)
	if err != nil {
		return nil, err
	}
	c := &check{
		verdict: &Verdict{Events: int64(len(events)), Contents: int64(len(contentRows)), Found: map[ledger.Kind]int64{}},
		past:    past, events: events, contents: contentRows,
	}
	for _, line := range past.disorder {
		c.verdict.report(Disorder, "%s", line)
	}
	for _, t := range []table{metrics(), byEvent()} {
		if err := c.table(ctx, s, &t, events, c.eventVersion); err != nil {
			return nil, err
		}
	}
	lookups := contents()
	if err := c.table(ctx, s, &lookups, contentRows, c.contentVersion); err != nil {
		return nil, err
	}
	if err := c.hashes(ctx, s); err != nil {
		return nil, err
	}
	return c.verdict, nil
}

// table holds a table of Cassandra against the rows that it must have.
func (c *check) table(ctx context.Context, s *Stores, t *table, want rows, version func(where, id string, v int64)) error {
	there := make(map[string]bool, len(want))
	err := s.scan(ctx, t, func(row *found) {
		truth, known := want[row.id]
		switch {
		case !known:
			c.verdict.report(Extra, "%s: %s is there, version %d", t.name, row.id, row.version)
			return
		case there[row.id]:
			c.verdict.report(Extra, "%s: %s is there twice, version %d", t.name, row.id, row.version)
		}
		there[row.id] = true
		for _, column := range t.columns {
			if got, want := row.fields[column.field], truth[column.field]; got != want {
				c.verdict.report(Differing, "%s: %s, version %d: %s is %q, SQL has %q", t.name, row.id, row.version, column.name, show(got), show(want))
			}
		}
		for _, odd := range row.odd {
			c.verdict.report(WriteTime, "%s: %s, version %d: %s", t.name, row.id, row.version, odd)
		}
		version(t.name, row.id, row.version)
	})
	c.missing(t.name, want, there)
	return err
}

func (c *check) missing(where string, want rows, there map[string]bool) {
	for id := range want {
		if !there[id] {
			c.verdict.report(Missing, "%s: %s is not there", where, id)
		}
	}
}

// eventVersion holds an event's version against the records: it is that of its own
// last change, or of a change of its content after that.
func (c *check) eventVersion(where, id string, version int64) {
	own := c.past.events[id]
	switch {
	case own == nil:
		c.verdict.report(Unknown, "%s: %s: the input topic does not know it", where, id)
	case version < own.last:
		c.verdict.report(Stale, "%s: %s has version %d, its last change %d", where, id, version, own.last)
	case version > own.last && !c.past.contents[c.events[id][contentID]].gave(version):
		c.verdict.report(Unknown, "%s: %s has version %d, which is neither its own (%d) nor its content's", where, id, version, own.last)
	}
}

func (c *check) contentVersion(where, id string, version int64) {
	own := c.past.contents[id]
	switch {
	case own == nil:
		c.verdict.report(Unknown, "%s: %s: the input topic does not know it", where, id)
	case version < own.last:
		c.verdict.report(Stale, "%s: %s has version %d, its last change %d", where, id, version, own.last)
	case version > own.last:
		c.verdict.report(Unknown, "%s: %s has version %d, its last change %d", where, id, version, own.last)
	}
}

// hashes holds Redis against the events.
func (c *check) hashes(ctx context.Context, s *Stores) error {
	there := make(map[string]bool, len(c.events))
	names := hashFields()
	err := s.hashes(ctx, func(h hash) {
		version, err := strconv.ParseInt(h.fields["_v"], 10, 64)
		if err != nil || len(h.fields["_v"]) != 20 {
			c.verdict.report(Differing, "redis: %s has version %q", h.id, h.fields["_v"])
			return
		}
		truth, known := c.events[h.id]
		if _, deleted := h.fields["_d"]; deleted {
			c.tombstone(&h, version)
			return
		}
		if !known {
			c.verdict.report(Extra, "redis: %s is there, version %d", h.id, version)
			return
		}
		there[h.id] = true
		for name, field := range names {
			got, set := h.fields[name]
			if !set {
				got = null
			}
			if got != truth[field] {
				c.verdict.report(Differing, "redis: %s, version %d: %s is %q, SQL has %q", h.id, version, name, show(got), show(truth[field]))
			}
		}
		for name := range h.fields {
			if _, known := names[name]; !known && name != "_v" {
				c.verdict.report(Differing, "redis: %s, version %d: field %s is there", h.id, version, name)
			}
		}
		c.eventVersion("redis", h.id, version)
	})
	c.missing("redis", c.events, there)
	return err
}

// tombstone holds one against the event's last change, which must have been its end.
func (c *check) tombstone(h *hash, version int64) {
	c.verdict.Tombstones++
	own := c.past.events[h.id]
	switch {
	case own == nil || !own.gone:
		return // missing says so, of what is in SQL
	case version < own.last:
		c.verdict.report(Stale, "redis: the tombstone of %s has version %d, its end %d", h.id, version, own.last)
	case version > own.last:
		c.verdict.report(Unknown, "redis: the tombstone of %s has version %d, its end %d", h.id, version, own.last)
	}
	if len(h.fields) != 2 {
		c.verdict.report(Differing, "redis: the tombstone of %s has %d fields", h.id, len(h.fields))
	}
}
