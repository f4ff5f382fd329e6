package cdc

import (
	"context"
	"maps"
	"slices"

	"penstock/schema"
	"penstock/schema/pgtext"
)

// types notices values that do not fit what the catalogue said of their types: a
// label that an enum does not list, and a composite of more or fewer attributes. The
// log says nothing of a type that changes. Not safe for concurrent use.
type types struct{ columns perVersion[[]typeColumn] }

// typeColumn is a column of an enum or a composite, of a domain over one, or of an
// array of either.
type typeColumn struct {
	index     int
	delimiter byte            // of an array, else zero
	labels    map[string]bool // of an enum, else nil

	attributes int // of a composite, as the catalogue has it
	last       int // of the last value
}

// grown reports whether a row of the event has a value that does not fit. It does so
// once for each such value: the catalogue may not know of it any more.
func (t *types) grown(e *schema.Event) bool {
	if e.Relation == nil {
		return false
	}
	found := false
	columns := t.columns.of(e.Relation, typeColumns)
	for i := range columns {
		for _, row := range []schema.Tuple{e.Old, e.New} {
			if row != nil && !columns[i].lists(row[columns[i].index]) {
				found = true
			}
		}
	}
	return found
}

func typeColumns(rel *schema.Relation) []typeColumn {
	var columns []typeColumn
	for i := range rel.Columns {
		t, delimiter := rel.Columns[i].Type, byte(0)
		if t != nil {
			t, _ = t.Base(-1)
		}
		if t != nil && t.Kind == schema.TypeArray && t.Elem != nil {
			delimiter = t.Delimiter
			t, _ = t.Elem.Base(-1)
		}
		if t == nil || t.Kind != schema.TypeEnum && t.Kind != schema.TypeComposite {
			continue
		}
		c := typeColumn{index: i, delimiter: delimiter}
		if t.Kind == schema.TypeComposite {
			c.attributes = max(len(t.Fields), 1) // one of none is written as one of a NULL
		} else {
			c.labels = map[string]bool{}
		}
		for _, label := range t.Labels {
			c.labels[label] = true
		}
		columns = append(columns, c)
	}
	return columns
}

// lists reports whether all of a value fits, and has it fit from now on.
func (c *typeColumn) lists(v schema.Value) bool {
	switch {
	case v.Kind != schema.Text:
		return true
	case c.delimiter == 0:
		return c.has(v.Data)
	}
	array, err := pgtext.ParseArray(v.Data, c.delimiter)
	if err != nil {
		return true // whoever makes the record says what is wrong
	}
	all := true
	for _, elem := range array.Elems {
		if !elem.Null && !c.has(elem.Text) {
			all = false
		}
	}
	return all
}

func (c *typeColumn) has(text []byte) bool {
	if c.labels == nil {
		return c.hasAttributes(text)
	}
	if c.labels[string(text)] {
		return true
	}
	c.labels[string(text)] = true
	return false
}

// hasAttributes goes by their number. What differs from the catalogue is asked about
// when it comes after something else: values from before a change follow each other.
func (c *typeColumn) hasAttributes(text []byte) bool {
	elems, err := pgtext.ParseComposite(text)
	if err != nil {
		return true // whoever makes the record says what is wrong
	}
	asked := c.last
	if c.last = len(elems); c.last == c.attributes {
		return true
	}
	return c.last == asked
}

// follow gives the event the new version of its relation. A value that the
// catalogue does not list, either, stays known: it is not asked for again.
func (t *types) follow(e *schema.Event, fresh *schema.Relation) {
	before := t.columns.of(e.Relation, typeColumns)
	e.Relation = fresh
	columns := t.columns.of(fresh, typeColumns)
	for i := range columns {
		c := &columns[i]
		for _, old := range before {
			if old.index == c.index && c.labels != nil {
				maps.Copy(c.labels, old.labels)
			}
			if old.index == c.index {
				c.last = old.last
			}
		}
	}
}

// refresh gives events another version of their relation where a value does not fit
// the one that the catalogue described: a type has changed, or a NULL is older than
// its column's NOT NULL.
func (s *session) refresh(ctx context.Context, events []schema.Event) error {
	for i := range events {
		e := &events[i]
		if s.types.grown(e) {
			fresh := *e.Relation
			fresh.Columns = slices.Clone(fresh.Columns)
			if err := s.describe(ctx, &fresh); err != nil {
				return err
			}
			s.assembler.relations[fresh.OID] = &fresh
			s.types.follow(e, &fresh)
		}
		if fresh := s.nulls.relaxed(e); fresh != nil {
			s.assembler.relations[fresh.OID] = fresh
			s.types.follow(e, fresh)
		}
	}
	return nil
}
