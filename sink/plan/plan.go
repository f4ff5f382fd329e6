package plan

import (
	"fmt"

	"penstock/schema"
)

// Plan is a compiled pipeline. It is immutable and may be shared.
type Plan struct {
	Name           string
	Stream, Lookup schema.TableName

	// Slots are the columns of a [Row]: those of the stream table, then those of the
	// lookup table, then the computed ones.
	Slots   []Slot
	streams int // how many slots are the stream table's
	lookups int // how many are the lookup table's, behind them

	Join       int   // slot of the stream's join column
	lookupJoin int   // slot of the lookup's join column
	Key        []int // slots of the stream's key
	used       []int // slots of lookup columns that the result depends on

	early  []computed // of the stream row alone
	keys   []computed // those of them that are part of a place
	late   []computed // of the lookup row, too
	filter *Expr      // nil keeps every row

	// Places are the keys under which a row is kept, each by a function of the
	// stream row alone. The first is the history's.
	Places []Place

	// What Cassandra keeps. History has every stream row by its join value, Days the
	// buckets of a join value's history, Lookups the lookup table's rows, and Views
	// the result.
	History, Days, Lookups Table
	Views                  []Table
	// Redis is the hash of each row of the result.
	Redis RedisHash
	// Totals is what is counted of the rows; nil for nothing.
	Totals *Totals

	none Value // the join value that stands for NULL in the stores, and no row may have; NULL for none
}

// Slot is one column of a [Row].
type Slot struct {
	Name    string
	Type    Type
	NotNull bool
	Native  Native // of a column of a source
}

// computed is a slot with the expression that fills it.
type computed struct {
	slot int
	expr *Expr
}

// LookupRow is one row of the lookup table as the source had it at Version. One
// that does not exist was deleted or never seen.
type LookupRow struct {
	Key    Value
	Values []Value // of the lookup's slots, in their order

	Exists  bool
	Version int64
}

// Stored is a row and the version it was written at.
type Stored struct {
	Row     Row
	Version int64
}

// LookupSlots returns the range of the lookup table's slots.
func (p *Plan) LookupSlots() (first, end int) { return p.streams, p.streams + p.lookups }

// LookupKey is the slot of the lookup's join column.
func (p *Plan) LookupKey() int { return p.lookupJoin }

// Slot returns the index of the slot of a side's column, or of a computed one.
func (p *Plan) Slot(name string) int {
	for i := range p.Slots {
		if p.Slots[i].Name == name {
			return i
		}
	}
	return -1
}

// NewRow returns a row of NULLs.
func (p *Plan) NewRow() Row { return make(Row, len(p.Slots)) }

// Derive computes the slots that depend on the stream row alone. Its errors are the row's.
func (p *Plan) Derive(row Row) error { return p.compute(p.early, row) }

// DeriveKeys computes those of them that are part of a place.
func (p *Plan) DeriveKeys(row Row) error { return p.compute(p.keys, row) }

// Enrich fills in what the lookup row gives, in place.
func (p *Plan) Enrich(row Row, lookup *LookupRow) error {
	joined := row[p.streams : p.streams+p.lookups]
	if lookup.Exists {
		copy(joined, lookup.Values)
	} else {
		clear(joined)
	}
	return p.compute(p.late, row)
}

func (p *Plan) compute(list []computed, row Row) error {
	for _, c := range list {
		v, err := c.expr.Eval(row)
		if err != nil {
			return fmt.Errorf("column %s: %w", p.Slots[c.slot].Name, err)
		}
		row[c.slot] = v
	}
	return nil
}

// Filters reports whether rows may be left out, and whether that depends on the
// lookup row.
func (p *Plan) Filters() (filters, byLookup bool) {
	return p.filter != nil, p.filter != nil && p.filter.Lookup
}

// Passes reports whether an enriched row belongs to the result. A filter that is
// NULL does not let it pass.
func (p *Plan) Passes(row Row) (bool, error) {
	if p.filter == nil {
		return true, nil
	}
	v, err := p.filter.Eval(row)
	if err != nil {
		return false, fmt.Errorf("filter: %w", err)
	}
	return v.Bool(), nil
}

// SameUse reports whether two existing lookup rows give the same result.
func (p *Plan) SameUse(a, b *LookupRow) bool {
	if !a.Exists || !b.Exists {
		return false
	}
	for _, slot := range p.used {
		if a.Values[slot-p.streams] != b.Values[slot-p.streams] {
			return false
		}
	}
	return true
}

// SameKey reports whether two stream rows are the same row under the same join value.
func (p *Plan) SameKey(a, b Row) bool {
	for _, slot := range p.Key {
		if a[slot] != b[slot] {
			return false
		}
	}
	return a[p.Join] == b[p.Join]
}

// KeyText is the record key of a join value: its text. NULL has the empty key.
func KeyText(v Value) string { return v.String() }
