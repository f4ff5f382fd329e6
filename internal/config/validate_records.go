package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/internal/fault"
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
			v.add(path, fault.Error{What: fmt.Sprintf("%s is not one of source.tables", table), Fix: "name it in source.tables"})
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
			v.add(join(path, key), fault.Error{What: err.Error()})
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
				Why:  "they are create, update, delete and truncate; none alone skips nothing",
			})
		}
	}
}

// columns checks what can be known of a table's columns without the table.
func (v *validator) columns(path string, t *TableRecords) {
	key := map[string]bool{}
	for i, column := range t.Key {
		at := fmt.Sprintf("%s.key[%d]", path, i)
		v.column(at, column)
		if key[column] {
			v.add(at, fault.Error{What: fmt.Sprintf("column %s is named twice", column)})
		}
		key[column] = true
	}
	placed := map[string]bool{}
	for i, column := range t.Partition {
		at := fmt.Sprintf("%s.partition[%d]", path, i)
		v.column(at, column)
		if placed[column] {
			v.add(at, fault.Error{What: fmt.Sprintf("column %s is named twice", column)})
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
		}
	}
	for _, column := range slices.Sorted(maps.Keys(t.Mask)) {
		at := path + ".mask." + column
		v.column(at, column)
		if t.Mask[column] == "" {
			v.add(at, fault.Error{What: "the salt is empty", Why: "without one the values can be guessed", Fix: `"${file:/run/secrets/salt}"`})
		}
	}
	for _, column := range slices.Sorted(maps.Keys(t.Truncate)) {
		at := path + ".truncate." + column
		_, masked := t.Mask[column]
		switch n := t.Truncate[column]; {
		case column == "":
			v.column(at, column)
		case n < 0:
			v.add(at, fault.Error{What: fmt.Sprintf("a length of %d characters is below 0", n)})
		case masked:
			v.add(at, fault.Error{What: fmt.Sprintf("column %s is masked too", column), Fix: "do one of the two"})
		case key[column]:
			v.add(at, fault.Error{What: fmt.Sprintf("column %s is part of the key", column), Why: "rows that differ would get one key"})
		case placed[column]:
			v.add(at, fault.Error{What: fmt.Sprintf("column %s chooses the partition", column), Why: "a change of it might not show"})
		}
	}
}

// column records a name that no column has.
func (v *validator) column(path, name string) {
	if name == "" {
		v.add(path, fault.Error{What: fmt.Sprintf("%q is not the name of a column", name)})
	}
}
