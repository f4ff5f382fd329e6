package stores

import (
	"context"
	"strconv"
	"strings"

	"penstock/internal/chaos/ledger"
)

// check is one comparison under way.
type check struct {
	verdict *Verdict
	past    *Past
}

// Check holds what both stores have of a pipeline against SQL and against its input
// topic. Nobody may write meanwhile, and the sink must have had all that past has. It
// connects anew.
func (t Target) Check(ctx context.Context, p *Pipeline, past *Past) (*Verdict, error) {
	s, err := Open(t)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	truth, err := s.truth(ctx, p)
	if err != nil {
		return nil, err
	}
	c := &check{verdict: &Verdict{Rows: int64(len(truth[p.redis.truth])), Found: map[ledger.Kind]int64{}}, past: past}
	for _, line := range past.disorder {
		c.verdict.report(Disorder, "input topic of %s, %s", p.Name, line)
	}
	for i := range p.kept {
		if p.kept[i].of == lookup {
			c.verdict.Lookups = int64(len(truth[p.kept[i].truth]))
		}
		if err := c.table(ctx, s, &p.kept[i], truth[p.kept[i].truth]); err != nil {
			return nil, err
		}
	}
	if err := c.hashes(ctx, s, p, truth[p.redis.truth]); err != nil {
		return nil, err
	}
	if p.totals {
		beside := strings.TrimSuffix(t.Prefixes[p.Name], "event:")
		if err := c.checkTotals(ctx, s, beside+"content:"); err != nil {
			return nil, err
		}
		if err := c.checkBoards(ctx, s, beside+"board:"); err != nil {
			return nil, err
		}
	}
	return c.verdict, nil
}

// table holds a table of Cassandra against the rows that it must have.
func (c *check) table(ctx context.Context, s *Stores, k *kept, want rows) error {
	t := &k.table
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
		c.version(t.name, k.of, row.id, truth, k.join, row.version)
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

// version holds a row's version against the records: it is that of its own last
// change, or of a change of its lookup row after that.
func (c *check) version(where string, of side, id string, truth fields, join int, version int64) {
	own := c.past.lives[of][id]
	switch {
	case own == nil:
		c.verdict.report(Unknown, "%s: %s: the input topic does not know it", where, id)
	case version < own.last:
		c.verdict.report(Stale, "%s: %s has version %d, its last change %d", where, id, version, own.last)
	case version > own.last && (join < 0 || !c.past.lives[lookup][truth[join]].gave(version)):
		c.verdict.report(Unknown, "%s: %s has version %d, which is neither its own (%d) nor its lookup row's", where, id, version, own.last)
	}
}

// hashes holds Redis against the rows of the result.
func (c *check) hashes(ctx context.Context, s *Stores, p *Pipeline, want rows) error {
	there := make(map[string]bool, len(want))
	err := s.hashes(ctx, s.target.Prefixes[p.Name], func(h hash) {
		version, err := strconv.ParseInt(h.fields["_v"], 10, 64)
		if err != nil || len(h.fields["_v"]) != 20 {
			c.verdict.report(Differing, "redis: %s has version %q", h.id, h.fields["_v"])
			return
		}
		truth, known := want[h.id]
		if _, deleted := h.fields["_d"]; deleted {
			c.tombstone(&h, version)
			return
		}
		if !known {
			c.verdict.report(Extra, "redis: %s is there, version %d", h.id, version)
			return
		}
		there[h.id] = true
		c.fields(&h, &p.redis, truth, version)
		c.version("redis", stream, h.id, truth, p.redis.join, version)
	})
	c.missing("redis", want, there)
	return err
}

func (c *check) fields(h *hash, of *hashes, truth fields, version int64) {
	for name, field := range of.names {
		got, set := h.fields[name]
		if !set {
			got = null
		}
		if got != truth[field] {
			c.verdict.report(Differing, "redis: %s, version %d: %s is %q, SQL has %q", h.id, version, name, show(got), show(truth[field]))
		}
	}
	for name := range h.fields {
		if _, known := of.names[name]; !known && name != "_v" {
			c.verdict.report(Differing, "redis: %s, version %d: field %s is there", h.id, version, name)
		}
	}
}

// tombstone holds one against the row's last change, which must have been its end,
// unless a filter leaves the row out.
func (c *check) tombstone(h *hash, version int64) {
	c.verdict.Tombstones++
	if len(h.fields) != 2 {
		c.verdict.report(Differing, "redis: the tombstone of %s has %d fields", h.id, len(h.fields))
	}
	own := c.past.lives[stream][h.id]
	switch {
	case own == nil:
		c.verdict.report(Unknown, "redis: the tombstone of %s: the input topic does not know it", h.id)
	case version < own.last:
		c.verdict.report(Stale, "redis: the tombstone of %s has version %d, its last change %d", h.id, version, own.last)
	case own.gone && version > own.last:
		c.verdict.report(Unknown, "redis: the tombstone of %s has version %d, its end %d", h.id, version, own.last)
	}
}
