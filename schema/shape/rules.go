package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/schema"
)

// Rules say what becomes of a table's columns. The zero Rules change nothing.
// Names are as in the catalogue, unquoted and in their case.
type Rules struct {
	// Include lists the columns to keep; empty keeps all. Exclude then takes away.
	// An entry is a column's name or a pattern, in which * is any text and ? any
	// one character. A name must exist, a pattern need not match.
	Include, Exclude []string
	// Mask replaces the values of a column by their HMAC: equal values stay equal,
	// so joins and keys go on to work. The column becomes text. A name goes before a
	// pattern; a pattern has to match, and no two patterns the same column.
	Mask map[string]Mask
	// Truncate cuts the values of a text column to so many characters. A pattern takes
	// the text columns that are neither masked nor of the key or the partition.
	Truncate map[string]int
	// Key are the columns of the record's key, in their order; empty for the
	// relation's own key.
	Key []string
	// Partition are the columns whose values choose the record's partition; empty for
	// those of the key. They are kept for that also where they are excluded.
	Partition []string
}

// Mask is how the values of one column are masked.
type Mask struct {
	// Salt is the key of the HMAC-SHA-256, which is printed as 64 lowercase
	// hexadecimal digits. Without the salt nobody can try values out: it is needed,
	// and it is a secret.
	Salt []byte
}

// expanded has the rules of patterns as rules of the columns that they match, among
// them those that the table has got since the rules were written.
func (r *Rules) expanded(rel *schema.Relation) (Rules, error) {
	out, key := *r, r.key(rel)
	var err error
	if out.Mask, err = byColumn(rel, "mask", r.Mask, func(int) bool { return true }); err != nil {
		return out, err
	}
	out.Truncate, err = byColumn(rel, "truncate", r.Truncate, func(i int) bool {
		c := &rel.Columns[i]
		_, masked := out.Mask[c.Name]
		return holdsText(c) && !masked && !slices.Contains(key, i) && !slices.Contains(r.Partition, c.Name)
	})
	return out, err
}

// byColumn gives each column the rule that names it, else that of the one pattern
// that matches it, if it may have that.
func byColumn[T any](rel *schema.Relation, rule string, rules map[string]T, may func(column int) bool) (map[string]T, error) {
	columns, by := map[string]T{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if rel.Index(name) >= 0 || !isPattern(name) {
			columns[name] = rules[name]
			continue
		}
		found := false
		for i := range rel.Columns {
			c := rel.Columns[i].Name
			if _, named := rules[c]; !Match(name, c) {
				continue
			} else if found = true; named || !may(i) {
				continue
			}
			if other, taken := by[c]; taken {
				return nil, fault(rel, rule, c, fmt.Sprintf("both %q and %q match the column: name it", other, name))
			}
			columns[c], by[c] = rules[name], name
		}
		if !found {
			return nil, unknown(rel, rule, name)
		}
	}
	return columns, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?") }

// check reports the first rule that the relation's columns do not allow.
func (r *Rules) check(rel *schema.Relation) error {
	for _, list := range []struct {
		rule  string
		names []string
	}{{"include", r.Include}, {"exclude", r.Exclude}} {
		for _, name := range list.names {
			if rel.Index(name) < 0 && !isPattern(name) {
				return unknown(rel, list.rule, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Mask)) {
		if rel.Index(name) < 0 {
			return unknown(rel, "mask", name)
		}
		if len(r.Mask[name].Salt) == 0 {
			return fault(rel, "mask", name, "the salt is empty, and without one the values can be guessed")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Truncate)) {
		i := rel.Index(name)
		if i < 0 {
			return unknown(rel, "truncate", name)
		}
		if err := r.checkTruncated(rel, i); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		rule  string
		names []string
	}{{"key", r.Key}, {"partition", r.Partition}} {
		for i, name := range list.names {
			if rel.Index(name) < 0 {
				return unknown(rel, list.rule, name)
			}
			if slices.Contains(list.names[:i], name) {
				return fault(rel, list.rule, name, "the column is listed twice")
			}
		}
	}
	return nil
}

func (r *Rules) checkTruncated(rel *schema.Relation, i int) error {
	c := &rel.Columns[i]
	_, masked := r.Mask[c.Name]
	switch {
	case r.Truncate[c.Name] < 0:
		return fault(rel, "truncate", c.Name, fmt.Sprintf("a length of %d characters", r.Truncate[c.Name]))
	case masked:
		return fault(rel, "truncate", c.Name, "the column is masked too")
	case slices.Contains(r.key(rel), i):
		return fault(rel, "truncate", c.Name, "the column is part of the key, and rows that differ would get one key")
	case slices.Contains(r.Partition, c.Name):
		return fault(rel, "truncate", c.Name, "the column chooses the partition")
	case !holdsText(c):
		return fault(rel, "truncate", c.Name, "a part of a value of type "+c.Type.Name+" is no value; exclude or mask the column")
	}
	return nil
}

// key are the indexes of the key's columns.
func (r *Rules) key(rel *schema.Relation) []int {
	if len(r.Key) == 0 {
		return rel.Key
	}
	columns := make([]int, len(r.Key))
	for i, name := range r.Key {
		columns[i] = rel.Index(name)
	}
	return columns
}

// keeps reports whether the column is part of the row.
func (r *Rules) keeps(column string) bool {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return pattern == column || Match(pattern, column) })
	}
	return (len(r.Include) == 0 || in(r.Include)) && !in(r.Exclude)
}

// holdsText reports whether any part of a value is a value too. A column whose
// type is not known is its text.
func holdsText(c *schema.Column) bool {
	if c.Type == nil {
		return true
	}
	t, _ := c.Type.Base(c.TypeMod)
	switch t.OID {
	case oidText, oidBPChar, oidVarchar, oidName:
		return true
	}
	return t.Kind == schema.TypeBase && t.Name == "citext"
}

func unknown(rel *schema.Relation, rule, column string) error {
	var names strings.Builder
	for i := range rel.Columns {
		if i > 0 {
			names.WriteString(", ")
		}
		names.WriteString(rel.Columns[i].Name)
	}
	return fault(rel, rule, column, "there is no such column; there are "+names.String())
}

func fault(rel *schema.Relation, rule, column, reason string) error {
	return fmt.Errorf("shape %s: %s %q: %s", rel.Table, rule, column, reason)
}
