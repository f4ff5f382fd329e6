package parity

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"penstock/internal/parity/golden"
	"penstock/schema"
)

// input asks the server for a table's columns and rows, the latter in the text of the types' output functions.
func (r *Rig) input(ctx context.Context, table, order string) (golden.Input, error) {
	in := golden.Input{}
	types := map[uint32]*schema.Type{}
	rows, err := r.db.Query(ctx, `SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
			a.attgenerated <> '', coalesce(a.attnum = ANY (i.indkey), false)
		FROM pg_attribute a
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table)
	if err != nil {
		return in, err
	}
	in.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (schema.Column, error) {
		var c schema.Column
		err := row.Scan(&c.Name, &c.TypeOID, &c.TypeMod, &c.NotNull, &c.Default, &c.Generated, &c.Identity)
		return c, err
	})
	if err != nil {
		return in, fmt.Errorf("columns of %s: %w", table, err)
	}
	for i := range in.Columns {
		if in.Columns[i].Type, err = r.typeOf(ctx, in.Columns[i].TypeOID, types); err != nil {
			return in, err
		}
	}
	settings := `SET DateStyle = ISO; SET IntervalStyle = postgres; SET bytea_output = hex; SET TimeZone = UTC; SET extra_float_digits = 1`
	if err := r.exec(ctx, settings); err != nil {
		return in, err
	}
	results, err := r.db.PgConn().Exec(ctx, fmt.Sprintf("SELECT * FROM %s ORDER BY %s", table, order)).ReadAll()
	if err != nil {
		return in, fmt.Errorf("rows of %s: %w", table, err)
	}
	for _, row := range results[0].Rows {
		tuple := make(schema.Tuple, len(row))
		for i, text := range row {
			if text != nil {
				tuple[i] = schema.Value{Kind: schema.Text, Data: text}
			}
		}
		in.Rows = append(in.Rows, tuple)
	}
	return in, nil
}

// typeOf reads a type of the catalogue and those that it is made of; known has what was read before.
func (r *Rig) typeOf(ctx context.Context, oid uint32, known map[uint32]*schema.Type) (*schema.Type, error) {
	if t := known[oid]; t != nil || oid == 0 {
		return t, nil
	}
	t := &schema.Type{OID: oid, Mod: -1}
	known[oid] = t
	var kind, delimiter string
	var elem, relation uint32
	err := r.db.QueryRow(ctx, `SELECT n.nspname, t.typname, t.typrelid,
			CASE WHEN t.typtype = 'b' AND t.typcategory = 'A' THEN 'a' ELSE t.typtype::text END,
			CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE -1 END,
			coalesce(CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typcategory = 'A' THEN t.typelem END, g.rngsubtype, m.rngtypid, 0),
			coalesce(e.typdelim::text, ','),
			ARRAY (SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
		FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
		LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typtype = 'b' AND t.typcategory = 'A'
		LEFT JOIN pg_range g ON g.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
		WHERE t.oid = $1`, oid).Scan(&t.Schema, &t.Name, &relation, &kind, &t.Mod, &elem, &delimiter, &t.Labels)
	if err != nil {
		return nil, fmt.Errorf("type %d: %w", oid, err)
	}
	t.Kind = schema.TypeKind(kind[0])
	if t.Kind == schema.TypeArray {
		t.Delimiter = delimiter[0]
	}
	if t.Elem, err = r.typeOf(ctx, elem, known); err != nil {
		return nil, err
	}
	if t.Kind == schema.TypeComposite {
		t.Fields, err = r.fieldsOf(ctx, relation, known)
	}
	return t, err
}

func (r *Rig) fieldsOf(ctx context.Context, relation uint32, known map[uint32]*schema.Type) ([]schema.Attribute, error) {
	type field struct {
		name string
		oid  uint32
		mod  int32
	}
	rows, err := r.db.Query(ctx, `SELECT attname, atttypid, atttypmod FROM pg_attribute
		WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, relation)
	if err != nil {
		return nil, err
	}
	fields, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f field, err error) {
		err = row.Scan(&f.name, &f.oid, &f.mod)
		return f, err
	})
	if err != nil {
		return nil, err
	}
	var attributes []schema.Attribute
	for _, f := range fields {
		t, err := r.typeOf(ctx, f.oid, known)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, schema.Attribute{Name: f.name, Type: t, Mod: f.mod})
	}
	return attributes, nil
}
