package cdc

import (
	"slices"

	"penstock/schema"
)

// nulls notices NULLs in columns that take none. The catalogue is that of now: a
// column may have become NOT NULL after the row was written, and a NULL must not
// become the zero that a schema without null would have for it. Not safe for
// concurrent use.
type nulls struct{ strict perVersion[[]int] }

// relaxed returns the version of the event's relation in which the columns that
// the event has a NULL in take one, or nil if it has none. In an old row a NULL is one
// only in columns of the replica identity; the log does not hold the others.
func (n *nulls) relaxed(e *schema.Event) *schema.Relation {
	if e.Relation == nil {
		return nil
	}
	var fresh *schema.Relation
	for _, i := range n.strict.of(e.Relation, takeNoNull) {
		missing := e.New != nil && e.New[i].Kind == schema.Null ||
			e.Old != nil && e.Old[i].Kind == schema.Null && e.Relation.Columns[i].Identity
		if !missing {
			continue
		}
		if fresh == nil {
			version := *e.Relation
			version.Columns = slices.Clone(version.Columns)
			fresh = &version
		}
		fresh.Columns[i].NotNull = false
	}
	return fresh
}

// takeNoNull are the columns that are NOT NULL.
func takeNoNull(rel *schema.Relation) (columns []int) {
	for i := range rel.Columns {
		if rel.Columns[i].NotNull {
			columns = append(columns, i)
		}
	}
	return columns
}
