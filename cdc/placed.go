package cdc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// checkHeld refuses named columns of the key, or that choose the partition, that old rows do
// not hold: an update that changes one could not be told from any other, and would leave the
// row behind where it was. A table whose updates and deletes make no records, or that Postgres
// lets nobody update and delete in, has no old rows.
func (rt *route) checkHeld(e *schema.Event) error {
	if rt.table.skipsOld() || !slices.ContainsFunc(e.Relation.Columns, func(c schema.Column) bool { return c.Identity }) {
		return nil
	}
	for _, rule := range rt.table.placing() {
		for _, name := range rule.columns {
			if i := e.Relation.Index(name); i >= 0 && !e.Relation.Columns[i].Identity {
				bad := rule.fault(e.Relation.Table, name, e.Relation.Identity)
				bad.Kind, bad.Where = fault.Refused, place(e)
				bad.Fix = fmt.Sprintf("take the column out of records.tables.%s.%s; after ALTER TABLE %s REPLICA IDENTITY FULL it can be named, "+
					"once what was written before is delivered", e.Relation.Table, rule.name, quoteTable(e.Relation.Table))
				return bad
			}
		}
	}
	return nil
}

// skipsOld reports whether no record is made of what has an old row.
func (t *Table) skipsOld() bool {
	return slices.Contains(t.Skip, schema.OpUpdate) && slices.Contains(t.Skip, schema.OpDelete)
}

// placingRule names columns that decide where a row's records lie.
type placingRule struct {
	name    string // in the configuration
	role    string
	columns []string
}

func (t *Table) placing() []placingRule {
	return []placingRule{{"key", "is of the record's key", t.Rules.Key}, {"partition", "chooses the partition", t.Rules.Partition}}
}

// fault lacks place and fix.
func (r *placingRule) fault(table schema.TableName, column string, identity schema.ReplicaIdentity) *fault.Error {
	return &fault.Error{
		What: fmt.Sprintf("column %s of table %s %s, and is not of the REPLICA IDENTITY %s", column, table, r.role, identity),
		Why:  "an update that changes it would not show where the row was, and a delete would not show where it is",
	}
}

// inIdentity tells of column a of table c whether old rows hold it. Columns that an index only
// includes are not of the identity, and a key that may be broken for a while is none.
const inIdentity = `(c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, ord)
	WHERE i.indrelid = c.oid AND k.attnum = a.attnum AND k.ord <= i.indnkeyatts AND i.indimmediate
		AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)))`

// placingColumns has a row for each column: whether old rows hold it, and whether it is of the primary key.
const placingColumns = `
SELECT n.nspname, c.relname, c.relreplident::text, a.attname, ` + inIdentity + `,
	EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY c.oid, a.attnum`

// oldRows is what old rows of a table hold, by the table as it is now.
type oldRows struct {
	table    schema.TableName
	identity schema.ReplicaIdentity
	columns  []string // of the table
	old      []string // of them, in old rows
	primary  []string // of them, in the primary key
}

// unheldColumns finds what [route.checkHeld] and unheld would refuse, before anything is created.
// A column that is not there is for who compiles the rules.
func (c *Capture) unheldColumns(ctx context.Context, db *pgx.Conn) ([]error, error) {
	schemas, names := splitNames(tableNames(&c.cfg))
	rows, err := db.Query(ctx, placingColumns, schemas, names)
	if err != nil {
		return nil, postgresFault("look for replica identities", err)
	}
	var tables []*oldRows
	var name schema.TableName
	var identity, column string
	var old, primary bool
	if _, err := pgx.ForEachRow(rows, []any{&name.Schema, &name.Name, &identity, &column, &old, &primary}, func() error {
		if len(tables) == 0 || tables[len(tables)-1].table != name {
			tables = append(tables, &oldRows{table: name, identity: schema.ReplicaIdentity(identity[0])})
		}
		h := tables[len(tables)-1]
		h.columns = append(h.columns, column)
		if old {
			h.old = append(h.old, column)
		}
		if primary {
			h.primary = append(h.primary, column)
		}
		return nil
	}); err != nil {
		return nil, postgresFault("look for replica identities", err)
	}
	var problems []error
	for _, h := range tables {
		for i := range c.cfg.Tables {
			if t := &c.cfg.Tables[i]; t.Name == h.table && !t.skipsOld() && len(h.old) > 0 {
				problems = append(problems, c.cfg.notHeld(h, t)...)
			}
		}
	}
	return problems, nil
}

func (c *Config) notHeld(h *oldRows, t *Table) (problems []error) {
	full := fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY FULL;", quoteTable(h.table))
	for _, rule := range t.placing() {
		for i, column := range rule.columns {
			if slices.Contains(h.old, column) || !slices.Contains(h.columns, column) {
				continue
			}
			bad := rule.fault(h.table, column, h.identity)
			bad.Kind, bad.Where = fault.Usage, c.place(h.table, fmt.Sprintf("%s[%d]", rule.name, i))
			bad.Fix = fmt.Sprintf("name columns of the replica identity (%s); or %s", strings.Join(h.old, ", "), full)
			problems = append(problems, bad)
		}
	}
	missing := slices.ContainsFunc(h.primary, func(column string) bool { return !slices.Contains(h.old, column) })
	if missing && len(t.Rules.Key) == 0 {
		problems = append(problems, &fault.Error{
			Kind: fault.Usage, Where: "source.tables", What: fmt.Sprintf("table %s has REPLICA IDENTITY %s, which does not hold its primary key", h.table, h.identity),
			Why: "an update of the key would not show which row it was, so that its updates and deletes would be refused",
			Fix: fmt.Sprintf("records.tables.%s.key: [%s]; or %s", h.table, strings.Join(h.old, ", "), full),
		})
	}
	return problems
}

// partition is that of a row's record, by its key unless other columns choose it. Those
// lie where a record with them as its key, in JSON, would.
func (rt *route) partition(key []byte, row schema.Tuple) int32 {
	if len(rt.placedBy) == 0 {
		return rt.topic.partition(key)
	}
	rt.placing = record.AppendKey(rt.placing[:0], rt.shaped, row, rt.placedBy)
	return rt.topic.partition(rt.placing)
}
