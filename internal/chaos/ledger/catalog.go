package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// The types that an envelope does not print as strings, or prints in a form of
// its own; catalogue pg_type.dat.
const (
	oidBool        = 16
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidFloat4      = 700
	oidFloat8      = 701
	oidTimestamptz = 1184
)

// column is one column of a captured table.
type column struct {
	name     string
	oid      uint32
	external bool // stored outside the row: an update that leaves it alone does not log it
	key      bool
}

// table is a captured table, as the catalogue describes it.
type table struct {
	name    schema.TableName
	topic   string
	columns []column
	keys    []int // the key's columns, in the key's order
	rows    map[uint64]row
}

// catalog is the captured tables by number, name and topic.
type catalog struct {
	tables  []*table
	byName  map[string]uint8
	byTopic map[string]*table
}

const describeColumns = `
SELECT a.attname::text, a.atttypid::bigint, a.attstorage = 'e', coalesce(array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

// describe reads the shape of the tables. Partitions count as the table that
// they are of: that is the name they are captured under.
func describe(ctx context.Context, db *pgx.Conn, topics map[schema.TableName]string) (*catalog, error) {
	c := &catalog{byName: map[string]uint8{}, byTopic: map[string]*table{}}
	for name, topic := range topics {
		t := &table{name: name, topic: topic, rows: map[uint64]row{}}
		if err := t.describe(ctx, db); err != nil {
			return nil, fmt.Errorf("describe table %s: %w", name, err)
		}
		c.byName[name.String()] = uint8(len(c.tables))
		c.byTopic[topic] = t
		c.tables = append(c.tables, t)
	}
	rows, err := db.Query(ctx, `SELECT i.inhrelid::regclass::text, n.nspname || '.' || p.relname, m.nspname || '.' || l.relname
		FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
		JOIN pg_class l ON l.oid = i.inhrelid JOIN pg_namespace m ON m.oid = l.relnamespace`)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	var text, parent, leaf string
	_, err = pgx.ForEachRow(rows, []any{&text, &parent, &leaf}, func() error {
		if index, captured := c.byName[parent]; captured {
			c.byName[leaf] = index
		}
		return nil
	})
	return c, err
}

func (t *table) describe(ctx context.Context, db *pgx.Conn) error {
	rows, err := db.Query(ctx, describeColumns, t.name.Schema, t.name.Name)
	if err != nil {
		return err
	}
	var c column
	var oid, place int64
	order := map[int]int64{}
	_, err = pgx.ForEachRow(rows, []any{&c.name, &oid, &c.external, &place}, func() error {
		c.oid, c.key = uint32(oid), place >= 0
		if c.key {
			order[len(t.columns)] = place
			t.keys = append(t.keys, len(t.columns))
		}
		t.columns = append(t.columns, c)
		return nil
	})
	slices.SortFunc(t.keys, func(a, b int) int { return int(order[a] - order[b]) })
	if err == nil && (len(t.columns) == 0 || len(t.keys) == 0) {
		err = fmt.Errorf("it has %d columns, %d of them in its key", len(t.columns), len(t.keys))
	}
	return err
}

// sums is the SQL of every row's key and MD5s, as the history has them.
func (t *table) sums() string {
	var key, fields []string
	big := "NULL::uuid"
	for _, i := range t.keys {
		key = append(key, pgx.Identifier{t.columns[i].name}.Sanitize())
	}
	for _, c := range t.columns {
		name := pgx.Identifier{c.name}.Sanitize()
		if c.external {
			big = "md5(" + name + ")::uuid"
			name = "NULL"
		}
		fields = append(fields, name)
	}
	return fmt.Sprintf("SELECT ROW(%s)::text, md5(ROW(%s)::text)::uuid, %s FROM %s", strings.Join(key, ", "), strings.Join(fields, ", "),
		big, pgx.Identifier{t.name.Schema, t.name.Name}.Sanitize())
}
