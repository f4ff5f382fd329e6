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
	// one character. A name must exist, a pattern match a column: a misspelt one would let
	// out what it was to keep.
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
func (r *Rules) expanded(rel *schema.Relation) (Rules, []error) {
	out, key := *r, r.key(rel)
	var problems, more []error
	out.Mask, problems = byColumn(rel, "mask", r.Mask, func(int) bool { return true })
	out.Truncate, more = byColumn(rel, "truncate", r.Truncate, func(i int) bool {
		c := &rel.Columns[i]
		_, masked := out.Mask[c.Name]
		return holdsText(c) && !masked && !slices.Contains(key, i) && !slices.Contains(r.Partition, c.Name)
	})
	return out, append(problems, more...)
}

// IsZero reports whether there is no rule at all.
func (r *Rules) IsZero() bool {
	return len(r.Include)+len(r.Exclude)+len(r.Mask)+len(r.Truncate)+len(r.Key)+len(r.Partition) == 0
}

// Without leaves out what a rule says of columns that a table once had and has no more, so
// that it says nothing of the columns that are there: what the rest says holds as before.
func (r *Rules) Without(gone []string, rel *schema.Relation) Rules {
	stale := func(entry string) bool {
		return slices.ContainsFunc(gone, func(name string) bool { return matches(entry, name) }) && !matchesAny(rel, entry)
	}
	out := *r
	out.Exclude = slices.DeleteFunc(slices.Clone(r.Exclude), stale)
	if kept := slices.DeleteFunc(slices.Clone(r.Include), stale); len(kept) > 0 { // none would be all
		out.Include = kept
	}
	out.Mask, out.Truncate = maps.Clone(r.Mask), maps.Clone(r.Truncate)
	maps.DeleteFunc(out.Mask, func(entry string, _ Mask) bool { return stale(entry) })
	maps.DeleteFunc(out.Truncate, func(entry string, _ int) bool { return stale(entry) })
	return out
}

// byColumn gives each column the rule that names it, else that of the one pattern
// that matches it, if it may have that.
func byColumn[T any](rel *schema.Relation, rule string, rules map[string]T, may func(column int) bool) (map[string]T, []error) {
	columns, by := map[string]T{}, map[string]string{}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if rel.Index(name) >= 0 || !isPattern(name) {
			columns[name] = rules[name]
			continue
		}
		if !matchesAny(rel, name) {
			problems = append(problems, unknown(rel, rule, name))
		}
		for i := range rel.Columns {
			c := rel.Columns[i].Name
			if _, named := rules[c]; !Match(name, c) || named || !may(i) {
				continue
			}
			if other, taken := by[c]; taken {
				problems = append(problems, problem(rel, rule, c, fmt.Sprintf("is matched by both %q and %q", other, name), "name the column itself, too"))
				continue
			}
			columns[c], by[c] = rules[name], name
		}
	}
	return columns, problems
}

// matches reports whether an entry of the rules, a name or a pattern, is for a column.
func matches(entry, column string) bool { return entry == column || Match(entry, column) }

// matchesAny reports whether the entry is for any column.
func matchesAny(rel *schema.Relation, entry string) bool {
	return slices.ContainsFunc(rel.Columns, func(c schema.Column) bool { return matches(entry, c.Name) })
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?") }

// check reports every rule that the relation's columns do not allow. Patterns of Mask
// and Truncate are expanded before.
func (r *Rules) check(rel *schema.Relation) []error {
	var problems []error
	for _, list := range []struct {
		rule  string
		names []string
	}{{"include", r.Include}, {"exclude", r.Exclude}} {
		for _, entry := range list.names {
			if !matchesAny(rel, entry) {
				problems = append(problems, unknown(rel, list.rule, entry))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Mask)) {
		switch {
		case rel.Index(name) < 0:
			problems = append(problems, unknown(rel, "mask", name))
		case len(r.Mask[name].Salt) == 0:
			problems = append(problems, problem(rel, "mask", name, "has an empty salt, and without one the values can be guessed", "give it a salt"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Truncate)) {
		if p := r.checkTruncated(rel, name); p != nil {
			problems = append(problems, p)
		}
	}
	for _, list := range []struct {
		rule  string
		names []string
	}{{"key", r.Key}, {"partition", r.Partition}} {
		for i, name := range list.names {
			switch {
			case rel.Index(name) < 0:
				problems = append(problems, unknown(rel, list.rule, name))
			case slices.Contains(list.names[:i], name):
				problems = append(problems, problem(rel, list.rule, name, "is listed twice", "take one of the two out"))
			}
		}
	}
	return problems
}

func (r *Rules) checkTruncated(rel *schema.Relation, name string) *Problem {
	const rule = "truncate"
	i := rel.Index(name)
	if i < 0 {
		return unknown(rel, rule, name)
	}
	c := &rel.Columns[i]
	_, masked := r.Mask[name]
	switch {
	case r.Truncate[name] < 0:
		return problem(rel, rule, name, fmt.Sprintf("is to have %d characters", r.Truncate[name]), "write how many are kept, 0 or more")
	case masked:
		return problem(rel, rule, name, "is masked too", "take it out of one of the two")
	case slices.Contains(r.key(rel), i):
		return problem(rel, rule, name, "is part of the key, and rows that differ would get one key", "mask it, or take it out")
	case slices.Contains(r.Partition, name):
		return problem(rel, rule, name, "chooses the partition", "mask it, or take it out")
	case !holdsText(c):
		return problem(rel, rule, name, "has type "+c.Type.Name+", and a part of such a value is no value", "exclude it, or mask it")
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
		return slices.ContainsFunc(list, func(entry string) bool { return matches(entry, column) })
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
