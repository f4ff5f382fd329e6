package cdc

import (
	"context"
	"maps"
	"slices"

	"penstock/schema"
	"penstock/schema/pgtext"
)

// enums notices values that a relation's enums do not list: the log says nothing
// of a type that grows. Not safe for concurrent use.
type enums struct {
	relation *schema.Relation // of the last event
	columns  []enumColumn     // of it
	known    map[uint32]enumTable
}

// enumTable is what is known of the last version of a relation, by its OID.
type enumTable struct {
	relation *schema.Relation
	columns  []enumColumn
}

// enumColumn is a column of an enum, of a domain over one, or of an array of either.
type enumColumn struct {
	index     int
	delimiter byte // of an array, else zero
	labels    map[string]bool
}

// grown reports whether a row of the event has a value that its relation does not
// list. It does so once for each value: the catalogue may not list it any more.
func (e *enums) grown(event *schema.Event) bool {
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
func (e *enums) turn(rel *schema.Relation) {
	if e.known == nil {
		e.known = map[uint32]enumTable{}
	}
	table := e.known[rel.OID]
	if table.relation != rel {
		table = enumTable{rel, enumColumns(rel)}
		e.known[rel.OID] = table
	}
	e.relation, e.columns = rel, table.columns
}

func enumColumns(rel *schema.Relation) []enumColumn {
	var columns []enumColumn
	for i := range rel.Columns {
		t, delimiter := rel.Columns[i].Type, byte(0)
		if t != nil {
			t, _ = t.Base(-1)
		}
		if t != nil && t.Kind == schema.TypeArray && t.Elem != nil {
			delimiter = t.Delimiter
			t, _ = t.Elem.Base(-1)
		}
		if t == nil || t.Kind != schema.TypeEnum {
			continue
		}
		c := enumColumn{i, delimiter, map[string]bool{}}
		for _, label := range t.Labels {
			c.labels[label] = true
		}
		columns = append(columns, c)
	}
	return columns
}

// lists reports whether every label of a value is known, and knows it from now on.
func (c *enumColumn) lists(v schema.Value) bool {
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

func (c *enumColumn) has(label []byte) bool {
	if c.labels[string(label)] {
		return true
	}
	c.labels[string(label)] = true
	return false
}

// follow gives the event the new version of its relation. A value that the
// catalogue does not list, either, stays known: it is not asked for again.
func (e *enums) follow(event *schema.Event, fresh *schema.Relation) {
	before := e.columns
	event.Relation = fresh
	e.turn(fresh)
	for _, c := range e.columns {
		for _, old := range before {
			if old.index == c.index {
				maps.Copy(c.labels, old.labels)
			}
		}
	}
}

// refresh gives events another version of their relation where a value does not fit
// the one that the catalogue described: an enum has grown, or a NULL is older than its column's NOT NULL.
func (s *session) refresh(ctx context.Context, events []schema.Event) error {
	for i := range events {
		e := &events[i]
		if s.enums.grown(e) {
			fresh := *e.Relation
			fresh.Columns = slices.Clone(fresh.Columns)
			if err := s.describe(ctx, &fresh); err != nil {
				return err
			}
			s.assembler.relations[fresh.OID] = &fresh
			s.enums.follow(e, &fresh)
		}
		if fresh := s.nulls.relaxed(e); fresh != nil {
			s.assembler.relations[fresh.OID] = fresh
			s.enums.follow(e, fresh)
		}
	}
	return nil
}
