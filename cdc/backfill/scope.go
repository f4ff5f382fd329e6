package backfill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// Scope is what of a table a job reads. The zero Scope is all rows, with all columns.
type Scope struct {
	Where string `json:"where,omitempty"` // a condition of SQL
	// From and To are values of the key's columns, in its order and as Postgres reads them: of
	// the first key that is read, and of the first behind the last. Fewer values than the key has
	// columns stand for all keys that begin with them; none for no bound.
	From []string `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
	// Columns are read beside those of the key; none for all. Of the others a record says no more
	// than one of an update that left a TOASTed value alone.
	Columns []string `json:"columns,omitempty"`
}

// Ranged reports whether the scope is a range of keys.
func (s *Scope) Ranged() bool { return len(s.From)+len(s.To) > 0 }

// condition is what is true of the rows that are read, in SQL, empty for all.
func (s *Scope) condition(rel *schema.Relation) string {
	var all []string
	if s.Where != "" {
		all = append(all, "("+s.Where+"\n)") // the line ends a comment
	}
	for _, bound := range []struct {
		compare string
		values  []string
	}{{">=", s.From}, {"<", s.To}} {
		if len(bound.values) > 0 {
			all = append(all, keyNames(rel, len(bound.values))+" "+bound.compare+" "+row(bound.values))
		}
	}
	return strings.Join(all, " AND ")
}

// checkRange refuses a range that no key can be in, by the order that the server has for the key.
func (s *Scope) checkRange(ctx context.Context, db *pgx.Conn, rel *schema.Relation) error {
	n := min(len(s.From), len(s.To))
	if n == 0 {
		return nil
	}
	compare := "<"
	if len(s.From) < len(s.To) { // keys that begin with From may be below To
		compare = "<="
	}
	names := strings.Trim(keyNames(rel, n), "()")
	bound := func(values []string) string { // with the types of the columns
		return fmt.Sprintf("(SELECT %s FROM %s WHERE false UNION ALL SELECT %s)", names, quoted(rel.Table), strings.Trim(row(values[:n]), "()"))
	}
	var some bool
	if err := db.QueryRow(ctx, "SELECT ROW(a.*) "+compare+" ROW(b.*) FROM "+bound(s.From)+" a, "+bound(s.To)+" b").Scan(&some); err != nil || some {
		return err
	}
	return &Refusal{
		What: fmt.Sprintf("no key is in the range from %s to %s", row(s.From), row(s.To)), Why: "the end, which is excluded, is not above the beginning",
		Fix: "start the backfill again with --from below --to",
	}
}

// keyNames are the first n columns of the key, as a row of SQL.
func keyNames(rel *schema.Relation, n int) string {
	names := make([]string, n)
	for i, c := range rel.Key[:n] {
		names[i] = pgx.Identifier{rel.Columns[c].Name}.Sanitize()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// row is values as a row of SQL.
func row(values []string) string {
	texts := make([]string, len(values))
	for i, text := range values {
		texts[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// check refuses a scope that a relation cannot have.
func (s *Scope) check(rel *schema.Relation) error {
	for _, values := range [][]string{s.From, s.To} {
		if len(values) > len(rel.Key) {
			return &Refusal{
				What: fmt.Sprintf("a bound of the range has %d values", len(values)), Why: "the key is " + keyNames(rel, len(rel.Key)),
				Fix: "give at most a value for each of its columns",
			}
		}
	}
	for _, name := range s.Columns {
		if !slices.ContainsFunc(rel.Columns, func(c schema.Column) bool { return c.Name == name }) {
			var names []string
			for i := range rel.Columns {
				names = append(names, rel.Columns[i].Name)
			}
			return &Refusal{
				What: "no column " + name + " is published", Why: "its columns are " + strings.Join(names, ", "),
				Fix: "start the backfill again with columns that there are",
			}
		}
	}
	return nil
}

// Reads reports whether the scope has a column of the relation, by its index.
func (s *Scope) Reads(rel *schema.Relation, column int) bool {
	return len(s.Columns) == 0 || slices.Contains(s.Columns, rel.Columns[column].Name) || slices.Contains(rel.Key, column)
}
