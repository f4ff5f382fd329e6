package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/internal/fault"
	"penstock/schema/shape"
)

// records checks the section and every table's entry; captured asks for the
// tables to be captured here.
func (v *validator) records(captured bool) {
	r := &v.cfg.Records
	v.style("records", &r.RecordStyle, func(string) bool { return true })
	source := map[TableKey]bool{}
	for _, table := range v.cfg.Source.Tables {
		source[TableKey(FormatTable(table))] = true
	}
	for _, table := range slices.Sorted(maps.Keys(r.Tables)) {
		path, own := recordsPath(table), r.Tables[table]
		if captured && len(source)+len(v.cfg.Source.Matching) > 0 && !source[table] && !v.cfg.Source.matchesKey(table) {
			v.add(path, v.notListed(table))
		}
		// What the entry inherits is checked where it stands.
		v.style(path, &own.RecordStyle, func(key string) bool { return v.cfg.given[join(path, key)] })
		v.columns(path, &own)
	}
}

// style checks the values of the keys that mine says stand at path.
func (v *validator) style(path string, s *RecordStyle, mine func(key string) bool) {
	oneOf := func(key, value string, allowed ...string) {
		if mine(key) {
			v.oneOf(join(path, key), value, allowed...)
		}
	}
	oneOf("format", s.Format, RecordFormats()...)
	oneOf("cloudevents", s.CloudEvents, EventsNone, EventsBinary, EventsStructured)
	if s.CloudEvents == EventsStructured && s.Format == FormatText && (mine("cloudevents") || mine("format")) {
		v.add(join(path, "cloudevents"), fault.Error{
			What: "format text has no structured events", Why: "their data is the rows in Debezium's forms", Fix: "binary, or format: debezium",
		})
	}
	s.options(func(key string, err error) {
		if mine(key) {
			v.add(join(path, key), badMode(err))
		}
	})
	if mine("skipped.operations") {
		v.skipped(join(path, "skipped.operations"), s.Skipped)
	}
	oneOf("schema_change", s.SchemaChange, SchemaEvolve, SchemaStop)
	oneOf("oversized", s.Oversized, OversizedStop, OversizedTruncate, OversizedDeadLetter)
}

func (v *validator) skipped(path string, operations []string) {
	for i, op := range operations {
		if !slices.Contains([]string{"c", "u", "d", "t"}, op) {
			v.add(fmt.Sprintf("%s[%d]", path, i), fault.Error{
				What: fmt.Sprintf("%q is not one of c, u, d, t", op),
				Why:  "they are create, update, delete and truncate",
				Fix:  "write some of them, as in [t, d]; none alone skips nothing",
			})
		}
	}
}

// columns checks what can be known of a table's columns without the table.
func (v *validator) columns(path string, t *TableRecords) {
	for _, list := range []struct {
		name    string
		columns []string
	}{{"key", t.Key}, {"partition", t.Partition}, {"include", t.Include}, {"exclude", t.Exclude}} {
		if list.columns != nil && len(list.columns) == 0 {
			v.add(path+"."+list.name, fault.Error{
				What: "is an empty list", Why: "no column could be meant, or all of them", Fix: "name columns, or leave " + list.name + " out",
			})
		}
	}
	key := map[string]bool{}
	for i, column := range t.Key {
		at := fmt.Sprintf("%s.key[%d]", path, i)
		v.column(at, column)
		if key[column] {
			v.add(at, namedTwice("column "+column))
		}
		key[column] = true
	}
	placed := map[string]bool{}
	for i, column := range t.Partition {
		at := fmt.Sprintf("%s.partition[%d]", path, i)
		v.column(at, column)
		if placed[column] {
			v.add(at, namedTwice("column "+column))
		}
		placed[column] = true
	}
	for i, pattern := range t.Include {
		v.column(fmt.Sprintf("%s.include[%d]", path, i), pattern)
	}
	for i, pattern := range t.Exclude {
		at := fmt.Sprintf("%s.exclude[%d]", path, i)
		v.column(at, pattern)
		if pattern != "" && strings.Trim(pattern, "*") == "" {
			v.add(at, fault.Error{What: fmt.Sprintf("%q takes every column away", pattern), Fix: "name the columns to keep in include"})
			continue
		}
		v.alsoIncluded(at, pattern, t.Include)
	}
	for _, column := range slices.Sorted(maps.Keys(t.Mask)) {
		at := path + ".mask." + column
		v.column(at, column)
		if t.Mask[column] == "" {
			v.add(at, fault.Error{What: "the salt is empty", Why: "without one the values can be guessed", Fix: `"${file:/run/secrets/salt}"`})
		}
	}
	v.truncated(path, t, key, placed)
}

// truncated checks what is cut; key and placed are the columns of the key and those that
// choose the partition.
func (v *validator) truncated(path string, t *TableRecords, key, placed map[string]bool) {
	const uncut = "mask it, or take it out of truncate"
	for _, column := range slices.Sorted(maps.Keys(t.Truncate)) {
		at := path + ".truncate." + column
		mask := t.masking(column)
		switch n := t.Truncate[column]; {
		case column == "":
			v.column(at, column)
		case n < 0:
			v.add(at, fault.Error{
				What: fmt.Sprintf("a length of %d characters is below 0", n), Fix: "write how many characters are kept, such as 20, or take the line out",
			})
		case mask != "":
			v.add(at, fault.Error{
				What: fmt.Sprintf("column %s is masked too, by mask.%s", column, mask), Why: "the mask has nothing to cut", Fix: "take it out of one of the two",
			})
		case key[column]:
			v.add(at, fault.Error{
				What: fmt.Sprintf("column %s is part of the key", column), Why: "rows that differ would get one key", Fix: uncut,
			})
		case placed[column]:
			v.add(at, fault.Error{
				What: fmt.Sprintf("column %s chooses the partition", column), Why: "a change of it might not show", Fix: uncut,
			})
		}
	}
}

// column records a name that no column has.
func (v *validator) column(path, name string) {
	if name == "" {
		v.add(path, fault.Error{What: fmt.Sprintf("%q is not the name of a column", name), Fix: "write the name as the catalogue has it, without quotes"})
	}
}

// alsoIncluded records an entry of exclude that takes away what include names.
func (v *validator) alsoIncluded(path, pattern string, include []string) {
	for _, kept := range include {
		if kept != "" && (kept == pattern || !isPattern(kept) && shape.Match(pattern, kept)) {
			v.add(path, fault.Error{
				What: fmt.Sprintf("%q takes away %s, which include names", pattern, kept), Why: "include says what is kept, exclude then takes away",
				Fix: "take one of the two out",
			})
		}
	}
}

// masking is the entry of Mask that masks a column, or "". A pattern in column is a name
// of its own.
func (t *TableRecords) masking(column string) string {
	if _, named := t.Mask[column]; named {
		return column
	}
	for _, pattern := range slices.Sorted(maps.Keys(t.Mask)) {
		if !isPattern(column) && shape.Match(pattern, column) {
			return pattern
		}
	}
	return ""
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?") }

func namedTwice(what string) fault.Error {
	return fault.Error{What: what + " is named twice", Fix: "take one of the two out"}
}

// badMode is the fault of a mode that is none.
func badMode(err error) fault.Error {
	what, modes, ok := strings.Cut(err.Error(), ": want ")
	if !ok {
		return fault.Error{What: err.Error(), Fix: "after hex: write two hexadecimal digits for each octet"}
	}
	return fault.Error{What: what, Fix: "write " + modes}
}
