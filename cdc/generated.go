package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/shape"
)

// generated is a generated column of a captured table that the log says nothing of.
type generated struct {
	table   schema.TableName
	column  string
	stored  bool // else virtual
	breaks  bool // Postgres refuses updates and deletes of the table while it is published
	already bool // published
}

// withheld are the generated columns that the publications do not send. One that does not exist
// yet will send the stored ones, where Postgres can; see [slot.PublicationSQL].
const withheld = `
SELECT n.nspname, c.relname, a.attname, a.attgenerated = 's',
	$4 AND c.relreplident = 'f', EXISTS (SELECT FROM pg_publication p WHERE p.pubname = ANY ($3))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attgenerated <> '' AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
	AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
	AND NOT ($4 AND (
		EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = ANY ($3) AND p.schemaname = n.nspname AND p.tablename = c.relname
			AND to_jsonb(p) -> 'attnames' ? a.attname)
		OR a.attgenerated = 's' AND NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = ANY ($3))))
ORDER BY 1, 2, a.attnum`

// checkGenerated refuses a configuration that names generated columns of which the
// log says nothing, and logs which columns these are. It also refuses to publish a
// table that nobody could update from then on.
func (c *Capture) checkGenerated(ctx context.Context, db *pgx.Conn) error {
	schemas, names := splitNames(tableNames(&c.cfg))
	version, err := slot.ServerVersion(ctx, db)
	if err != nil {
		return postgresFault("say its version", err)
	}
	rows, err := db.Query(ctx, withheld, schemas, names, c.cfg.Publications, version >= slot.GeneratedFrom)
	if err != nil {
		return postgresFault("look for generated columns", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (g generated, err error) {
		err = row.Scan(&g.table.Schema, &g.table.Name, &g.column, &g.stored, &g.breaks, &g.already)
		return g, err
	})
	if err != nil {
		return postgresFault("look for generated columns", err)
	}
	var problems []error
	for _, g := range found {
		c.log.Info("the log does not have a generated column", zap.Stringer(keyTable, g.table), zap.String(keyColumns, g.column))
		switch {
		case g.breaks && g.already: // it is the applications that are refused
			c.log.Warn("nobody can update a captured table", zap.Error(g.unwritable(c.cfg.Publications)))
		case g.breaks:
			problems = append(problems, g.unwritable(c.cfg.Publications))
		}
		for _, place := range c.cfg.namedAt(g.table, g.column) {
			problems = append(problems, g.fault(place, c.cfg.Publications, version))
		}
	}
	return errors.Join(problems...)
}

// namedAt are the places of the configuration that name a table's column.
func (c *Config) namedAt(table schema.TableName, column string) []string {
	var places []string
	for i := range c.Tables {
		if c.Tables[i].Name == table {
			for _, rule := range rulesNaming(&c.Tables[i].Rules, column) {
				places = append(places, c.place(table, rule))
			}
		}
	}
	for _, p := range c.Pipelines {
		for _, side := range []JoinSide{p.Stream, p.Lookup} {
			if side.Table == table && side.Column == column {
				places = append(places, "pipelines."+p.Name)
			}
		}
	}
	return places
}

// rulesNaming are the rules that name the column; a pattern names none.
func rulesNaming(r *shape.Rules, column string) []string {
	var rules []string
	for _, rule := range []struct {
		name    string
		columns []string
	}{{"include", r.Include}, {"exclude", r.Exclude}, {"key", r.Key}, {"partition", r.Partition}} {
		if slices.Contains(rule.columns, column) {
			rules = append(rules, rule.name)
		}
	}
	if _, masked := r.Mask[column]; masked {
		rules = append(rules, "mask")
	}
	if _, cut := r.Truncate[column]; cut {
		rules = append(rules, "truncate")
	}
	return rules
}

// unwritable refuses a table that nobody can update once it is published.
func (g *generated) unwritable(publications []string) error {
	fix := fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY DEFAULT; or DROP COLUMN %s", quoteTable(g.table), pgx.Identifier{g.column}.Sanitize())
	if g.stored {
		fix = fmt.Sprintf("ALTER PUBLICATION %s SET (publish_generated_columns = stored); or %s", pgx.Identifier{publications[0]}.Sanitize(), fix)
	}
	return &fault.Error{
		Kind: fault.Usage, Where: "source.tables",
		What: fmt.Sprintf("table %s has REPLICA IDENTITY FULL, and its generated column %s is not published", g.table, g.column),
		Why:  "Postgres refuses to update and delete rows of such a table as long as it is published", Fix: fix,
	}
}

func (g *generated) fault(place string, publications []string, version int) error {
	bad := &fault.Error{
		Kind: fault.Usage, Where: place,
		What: fmt.Sprintf("column %s of table %s is a virtual generated column", g.column, g.table),
		Why:  "Postgres computes it when it is read, so that the log does not have it",
		Fix:  "do not name it; or drop it and add it as GENERATED ALWAYS AS (...) STORED",
	}
	if !g.stored {
		return bad
	}
	bad.What = fmt.Sprintf("column %s of table %s is a generated column that is not published", g.column, g.table)
	if version < slot.GeneratedFrom {
		bad.Why = "Postgres before 18 sends no generated column"
		bad.Fix = "do not name it; or make it a column that a trigger fills"
		return bad
	}
	bad.Why = "publish_generated_columns of " + strings.Join(publications, ", ") + " is none, or the table's column list leaves it out"
	bad.Fix = fmt.Sprintf("ALTER PUBLICATION %s SET (publish_generated_columns = stored); or add it to the list; or do not name it",
		pgx.Identifier{publications[0]}.Sanitize())
	return bad
}
