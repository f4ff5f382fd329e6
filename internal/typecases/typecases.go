// Package typecases is the one list of the types that a column can have, each with
// the values that it must survive with: the tests of every format, and the
// comparison with Debezium, take it from here.
//
// Read cases.txt first, which is the list, then typecases.go (what is handed out),
// parse.go (how the list is read) and array.go (the arrays that follow from it).
package typecases

import (
	"fmt"
	"slices"
	"strings"
)

// Table is one table with a column for every type. It is not changed once it is made.
type Table struct{ columns []Column }

// Column is one column of a [Table], which takes NULL.
type Column struct {
	Name   string
	Type   string  // as CREATE TABLE spells it
	Values []Value // at least one

	Setup     []string // statements that make what the type needs
	Extension string   // that the type needs; empty for none
	Since     int      // the major version of Postgres that has the type; 0 for all
	Stops     string   // why Debezium's connector cannot read the column; empty when it can
}

// Value is one value of a column.
type Value struct {
	Name string
	Text string // as the type's input reads it; as an expression when Expr
	Expr bool

	Stops bool // Debezium's connector cannot read it
}

// SQL is an expression of the column's type.
func (v Value) SQL(typ string) string {
	text := v.Text
	if !v.Expr {
		text = Quote(text)
	}
	return "(" + text + ")::" + typ
}

// Quote is text as a literal of SQL, whatever standard_conforming_strings says.
func Quote(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// On is the table without the columns that a server lacks: extensions are those
// that it could create. absent names what was left out.
func (t *Table) On(major int, extensions []string) (on *Table, absent []string) {
	on = &Table{}
	for _, c := range t.columns {
		if c.Since > major || c.Extension != "" && !slices.Contains(extensions, c.Extension) {
			absent = append(absent, c.Name)
			continue
		}
		on.columns = append(on.columns, c)
	}
	return on, absent
}

// Comparable is the table without the columns and the values that stop Debezium's connector.
func (t *Table) Comparable() *Table {
	on := &Table{}
	for _, c := range t.columns {
		if c.Stops == "" {
			c.Values = slices.DeleteFunc(slices.Clone(c.Values), func(v Value) bool { return v.Stops })
			on.columns = append(on.columns, c)
		}
	}
	return on
}

// Columns are the columns in their order, without the key.
func (t *Table) Columns() []Column { return t.columns }

// CreateSQL are the statements that make an empty database hold the table: the
// key is id, an integer.
func (t *Table) CreateSQL(name string) []string {
	var statements []string
	var table strings.Builder
	fmt.Fprintf(&table, "CREATE TABLE %s (\n  id integer PRIMARY KEY", name)
	extensions := map[string]bool{}
	for _, c := range t.columns {
		if c.Extension != "" && !extensions[c.Extension] {
			extensions[c.Extension] = true
			statements = append(statements, "CREATE EXTENSION "+c.Extension)
		}
		statements = append(statements, c.Setup...)
		fmt.Fprintf(&table, ",\n  %s %s", QuoteName(c.Name), c.Type)
	}
	return append(statements, table.String()+"\n)")
}

// Rows is how many rows show every value; the columns that have fewer are NULL in
// the later ones.
func (t *Table) Rows() int {
	rows := 0
	for _, c := range t.columns {
		rows = max(rows, len(c.Values))
	}
	return rows
}

// Values are those of row i in the order of Columns; nil is NULL.
func (t *Table) Values(i int) []*Value {
	values := make([]*Value, len(t.columns))
	for n, c := range t.columns {
		if i < len(c.Values) {
			values[n] = &c.Values[i]
		}
	}
	return values
}

// InsertSQL inserts row i with i as its key. A row beyond Rows is all NULL.
func (t *Table) InsertSQL(name string, i int) string {
	var names, values []string
	for n, v := range t.Values(i) {
		if v != nil {
			names = append(names, QuoteName(t.columns[n].Name))
			values = append(values, v.SQL(t.columns[n].Type))
		}
	}
	id := fmt.Sprint(i)
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", name,
		strings.Join(append([]string{"id"}, names...), ", "), strings.Join(append([]string{id}, values...), ",\n  "))
}

// QuoteName is a name as an identifier of SQL.
func QuoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
