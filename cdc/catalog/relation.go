package catalog

import (
	"slices"

	"penstock/schema"
)

// relation is the answer to one question.
type relation struct {
	Columns []column `json:"columns"` // nil when the relation is gone
	Indexes []index  `json:"indexes"` // whose columns never are alike in two rows, as Debezium prefers them
	Types   []typ    `json:"types"`
}

type column struct {
	Name      string `json:"name"`
	OID       uint32 `json:"oid"`
	Shifted   bool   `json:"shifted"` // a column before it was dropped
	NotNull   bool   `json:"not_null"`
	Generated bool   `json:"generated"`
	Default   string `json:"default"`
}

type index struct {
	Primary  bool     `json:"primary"`
	Identity bool     `json:"identity"`
	Columns  []string `json:"columns"`
}

type typ struct {
	OID       uint32   `json:"oid"`
	Schema    string   `json:"schema"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Elem      uint32   `json:"elem"`
	Mod       int32    `json:"mod"`
	Delimiter string   `json:"delimiter"`
	Labels    []string `json:"labels"`
	Fields    []field  `json:"fields"`
}

type field struct {
	Name string `json:"name"`
	OID  uint32 `json:"oid"`
	Mod  int32  `json:"mod"`
}

func (r *relation) fill(rel *schema.Relation) {
	types := r.link()
	for i := range rel.Columns {
		c := &rel.Columns[i]
		c.Type = types[c.TypeOID]
		if at := r.index(c.Name); at >= 0 {
			c.NotNull, c.Default, c.Generated = r.Columns[at].NotNull, r.Columns[at].Default, r.Columns[at].Generated
		}
	}
	rel.Key = r.key(rel)
}

// link builds the types and points each to its parts.
func (r *relation) link() map[uint32]*schema.Type {
	types := map[uint32]*schema.Type{}
	for _, t := range r.Types {
		types[t.OID] = &schema.Type{
			OID: t.OID, Schema: t.Schema, Name: t.Name, Kind: schema.TypeKind(t.Kind[0]), Mod: t.Mod, Labels: t.Labels,
		}
	}
	for _, t := range r.Types {
		known := types[t.OID]
		known.Elem = types[t.Elem]
		if t.Delimiter != "" {
			known.Delimiter = t.Delimiter[0]
		}
		for _, f := range t.Fields {
			known.Fields = append(known.Fields, schema.Attribute{Name: f.Name, Type: types[f.OID], Mod: f.Mod})
		}
	}
	return types
}

// key is what tells the relation's rows apart: the primary key, else the index of
// the replica identity, else a unique index without NULLs, as in Debezium. Where
// the log itself says which columns these are, the catalogue only says in which
// order.
func (r *relation) key(rel *schema.Relation) []int {
	var logged, key []int
	for i := range rel.Columns {
		if rel.Columns[i].Identity {
			logged = append(logged, i)
		}
	}
	names := r.indexed(func(i index) bool { return i.Primary })
	logs := rel.Identity == schema.IdentityDefault
	if names == nil {
		names = r.indexed(func(i index) bool { return i.Identity })
		logs = logs || rel.Identity == schema.IdentityIndex
	}
	if names == nil && !(logs && logged != nil) {
		names, logs = r.indexed(func(index) bool { return true }), false
	}
	for _, name := range names {
		if at := r.find(rel, name); at >= 0 {
			key = append(key, at)
		}
	}
	switch {
	case logs && !slices.Equal(slices.Sorted(slices.Values(key)), logged):
		return logged
	case !logs && len(key) < len(names):
		return nil
	}
	return key
}

// find returns the relation's column of that name, or the one that was renamed to
// it since: it stands in the same place, and its own name is gone. A place is only
// known if no column before it was ever dropped. -1 if there is none.
func (r *relation) find(rel *schema.Relation, name string) int {
	if at := rel.Index(name); at >= 0 {
		return at
	}
	at := r.index(name)
	if at < 0 || at >= len(rel.Columns) || r.Columns[at].Shifted || rel.Columns[at].TypeOID != r.Columns[at].OID || r.index(rel.Columns[at].Name) >= 0 {
		return -1
	}
	return at
}

// index is the place of the column that the catalogue has by that name, -1 for none.
func (r *relation) index(name string) int {
	return slices.IndexFunc(r.Columns, func(c column) bool { return c.Name == name })
}

func (r *relation) indexed(by func(index) bool) []string {
	if at := slices.IndexFunc(r.Indexes, by); at >= 0 {
		return r.Indexes[at].Columns
	}
	return nil
}
