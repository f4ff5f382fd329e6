package shape

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"penstock/schema"
)

// The types of text; catalogue pg_type.dat.
const (
	oidName    = 19
	oidText    = 25
	oidBPChar  = 1042
	oidVarchar = 1043
)

// Shape turns the tuples of one relation. Not safe for concurrent use.
type Shape struct {
	relation  *schema.Relation
	row       []int
	partition []int
	columns   []column
	// masked holds the masked values since the last Reset. What outgrew its block
	// stays where it was.
	masked []byte
}

// column is one column of the shaped relation.
type column struct {
	source int // its index in the relation that came in
	mask   *hasher
	cut    int // characters to keep; -1 for all
}

// Compile fits the rules to a relation. The error joins every [Problem] that there is.
func Compile(rel *schema.Relation, r Rules) (*Shape, error) {
	r, problems := r.expanded(rel)
	if problems = append(problems, r.check(rel)...); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	key := r.key(rel)
	out := &schema.Relation{OID: rel.OID, Table: rel.Table, Identity: rel.Identity}
	s := &Shape{relation: out}
	text := &schema.Type{OID: oidText, Schema: "pg_catalog", Name: "text", Kind: schema.TypeBase, Mod: -1}
	at := make([]int, len(rel.Columns)) // where each column went
	for i, c := range rel.Columns {
		inRow := r.keeps(c.Name)
		if at[i] = len(out.Columns); !inRow && !slices.Contains(key, i) && !slices.Contains(r.Partition, c.Name) {
			continue
		}
		if inRow {
			s.row = append(s.row, len(out.Columns))
		}
		turn := column{source: i, cut: -1}
		if m, masked := r.Mask[c.Name]; masked {
			turn.mask = newHasher(m.Salt)
			c.TypeOID, c.TypeMod, c.Type, c.Default = oidText, -1, text, ""
		}
		if n, cut := r.Truncate[c.Name]; cut {
			turn.cut = n
		}
		out.Columns = append(out.Columns, c)
		s.columns = append(s.columns, turn)
	}
	if len(s.row) == 0 && len(rel.Columns) > 0 {
		return nil, errors.Join(&Problem{
			Rule: "exclude", What: fmt.Sprintf("no column of table %s is left of %d", rel.Table, len(rel.Columns)),
			Fix: "take some out of it, or name those to keep in include",
		})
	}
	for _, i := range key {
		out.Key = append(out.Key, at[i])
	}
	for _, name := range r.Partition {
		s.partition = append(s.partition, at[rel.Index(name)])
	}
	return s, nil
}

// Relation is what the formats see: without the excluded columns that neither the key
// nor the partition needs, and with masked ones as text.
func (s *Shape) Relation() *schema.Relation { return s.relation }

// KeyColumns are the key's columns, as indexes into [Shape.Relation], in the
// key's order. Read only.
func (s *Shape) KeyColumns() []int { return s.relation.Key }

// PartitionColumns are the columns that choose a record's partition, as indexes into
// [Shape.Relation]; none when the key does. Read only.
func (s *Shape) PartitionColumns() []int { return s.partition }

// RowColumns are the columns of a record's value, as indexes into
// [Shape.Relation], in their order. Read only.
func (s *Shape) RowColumns() []int { return s.row }

// Reset forgets the masked values that [Shape.Tuple] made. Call it once an event
// is done with; its tuples are not valid any more.
func (s *Shape) Reset() { s.masked = s.masked[:0] }

// Tuple appends the shaped columns of in, a tuple of the relation that was
// compiled, to dst[:0]. A nil tuple, which is no row image, stays nil. Values alias
// in, and masked ones the shape's memory until Reset. Columns that in lacks are
// Null.
func (s *Shape) Tuple(dst, in schema.Tuple) schema.Tuple {
	if in == nil {
		return nil
	}
	dst = slices.Grow(dst[:0], len(s.columns))
	for i := range s.columns {
		c := &s.columns[i]
		var v schema.Value
		if c.source < len(in) {
			v = in[c.source]
		}
		if v.Kind == schema.Text || v.Kind == schema.Binary {
			switch {
			case c.mask != nil:
				v = schema.Value{Kind: schema.Text, Data: s.mask(c.mask, v.Data)}
			case c.cut >= 0:
				v.Data = truncated(v.Data, c.cut)
			}
		}
		dst = append(dst, v)
	}
	return dst
}

// truncated returns the first n characters. A byte that is not UTF-8 is one.
func truncated(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	end := 0
	for ; n > 0 && end < len(text); n-- {
		_, size := utf8.DecodeRune(text[end:])
		end += size
	}
	return text[:end:end]
}
