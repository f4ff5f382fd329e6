package cdc

import (
	"cmp"
	"context"
	"errors"
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
// row behind where it was. A table whose updates and deletes make no records has no old rows.
func (rt *route) checkHeld(e *schema.Event) error {
	if rt.table.skipsOld() {
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

// heldColumns are those that old rows hold, one row of the answer for each table.
const heldColumns = `
SELECT n.nspname, c.relname, c.relreplident::text, ARRAY (SELECT a.attname::text FROM pg_attribute a
	WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i
		WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey) AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident))))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))`

// checkPlacing is [route.checkHeld] before anything is created, by the tables as they
// are now. A column that is not there is for who compiles the rules.
func (c *Capture) checkPlacing(ctx context.Context, db *pgx.Conn) error {
	if !slices.ContainsFunc(c.cfg.Tables, func(t Table) bool { return len(t.Rules.Key)+len(t.Rules.Partition) > 0 }) {
		return nil
	}
	schemas, names := splitNames(tableNames(&c.cfg))
	rows, err := db.Query(ctx, heldColumns, schemas, names)
	if err != nil {
		return postgresFault("look for replica identities", err)
	}
	var name schema.TableName
	var identity string
	var held []string
	var problems []error
	if _, err := pgx.ForEachRow(rows, []any{&name.Schema, &name.Name, &identity, &held}, func() error {
		problems = append(problems, c.cfg.notHeld(name, schema.ReplicaIdentity(identity[0]), held)...)
		return nil
	}); err != nil {
		return postgresFault("look for replica identities", err)
	}
	return errors.Join(problems...)
}

func (c *Config) notHeld(name schema.TableName, identity schema.ReplicaIdentity, held []string) (problems []error) {
	for i := range c.Tables {
		t := &c.Tables[i]
		if t.Name != name || t.skipsOld() {
			continue
		}
		for _, rule := range t.placing() {
			for _, column := range rule.columns {
				if slices.Contains(held, column) {
					continue
				}
				bad := rule.fault(name, column, identity)
				bad.Kind, bad.Where = fault.Usage, c.place(name, rule.name)
				bad.Fix = fmt.Sprintf("name columns of the replica identity (%s); or ALTER TABLE %s REPLICA IDENTITY FULL;",
					cmp.Or(strings.Join(held, ", "), "it has none"), quoteTable(name))
				problems = append(problems, bad)
			}
		}
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
