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
type types struct {
	relation *schema.Relation // of the last event
	columns  []typeColumn     // of it
	known    map[uint32]typeTable
}

// typeTable is what is known of the last version of a relation, by its OID.
type typeTable struct {
	relation *schema.Relation
	columns  []typeColumn
}

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
func (e *types) grown(event *schema.Event) bool {
	if event.Relation == nil {
		return false
	}
	if event.Relation != e.relation {
		e.turn(event.Relation)
	}
	found := false
	for i := range e.columns {
		for _, row := range []schema.Tuple{event.Old, event.New} {
			if row != nil && !e.columns[i].lists(row[e.columns[i].index]) {
				found = true
			}
		}
	}
	return found
}

// turn looks at another relation.
func (e *types) turn(rel *schema.Relation) {
	if e.known == nil {
		e.known = map[uint32]typeTable{}
	}
	table := e.known[rel.OID]
	if table.relation != rel {
		table = typeTable{rel, typeColumns(rel)}
		e.known[rel.OID] = table
	}
	e.relation, e.columns = rel, table.columns
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
func (e *types) follow(event *schema.Event, fresh *schema.Relation) {
	before := e.columns
	event.Relation = fresh
	e.turn(fresh)
	for i := range e.columns {
		c := &e.columns[i]
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
