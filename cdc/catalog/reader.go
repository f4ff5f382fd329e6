package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/schema"
)

// Reader asks the catalogue, on a connection that it opens when it needs one. Not
// safe for concurrent use.
type Reader struct {
	connect func(context.Context) (*pgx.Conn, error)
	db      *pgx.Conn // nil before the first question and after a lost connection
}

// New returns a Reader that connects by connect, whose errors it returns as they are.
func New(connect func(context.Context) (*pgx.Conn, error)) *Reader { return &Reader{connect: connect} }

// Close ends the connection, if there is one.
func (r *Reader) Close(ctx context.Context) error {
	if r.db == nil {
		return nil
	}
	db := r.db
	r.db = nil
	return db.Close(ctx)
}

// Describe fills in what the catalogue knows of the relation, which nobody else
// may use yet. A column or a type that is gone from the catalogue stays as the log
// has it.
func (r *Reader) Describe(ctx context.Context, rel *schema.Relation) error {
	answer, err := r.ask(ctx, rel)
	if err != nil {
		return fmt.Errorf("describe relation %s: %w", rel.Table, err)
	}
	var found relation
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		return fmt.Errorf("describe relation %s: %w", rel.Table, err)
	}
	found.fill(rel)
	return nil
}

// ask asks a second time, on a new connection, when the first one turns out to be
// lost: it may have been idle for days.
func (r *Reader) ask(ctx context.Context, rel *schema.Relation) (answer string, err error) {
	for fresh := false; ; {
		if r.db == nil {
			if r.db, err = r.connect(ctx); err != nil {
				return "", err
			}
			fresh = true
		}
		// Object ids are numbers: nothing to quote.
		err = r.db.QueryRow(ctx, query(rel)).Scan(&answer)
		if err == nil {
			return answer, nil
		}
		_, refused := errors.AsType[*pgconn.PgError](err)
		if refused && !r.db.IsClosed() {
			return "", err
		}
		_ = r.Close(context.WithoutCancel(ctx)) // it is lost
		if fresh || ctx.Err() != nil {
			return "", err
		}
	}
}

func query(rel *schema.Relation) string {
	var types []string
	for _, c := range rel.Columns {
		types = append(types, strconv.FormatUint(uint64(c.TypeOID), 10))
	}
	return fmt.Sprintf(describe, rel.OID, strings.Join(types, ","))
}

// describe answers with one JSON object; see [relation]. %[1]d is the relation,
// %[2]s the types of its columns as the log knows them.
const describe = `WITH RECURSIVE needed(oid) AS (
	SELECT unnest('{%[2]s}'::oid[])
	UNION
	SELECT part.oid FROM needed JOIN pg_type t ON t.oid = needed.oid CROSS JOIN LATERAL (
		SELECT t.typelem WHERE t.typtype <> 'd' AND t.typcategory = 'A'
		UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
		UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
		UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
		UNION ALL SELECT a.atttypid FROM pg_attribute a
			WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
	) AS part(oid)
)
SELECT json_build_object(
	'columns', (SELECT json_agg(json_build_object('name', a.attname, 'oid', a.atttypid::bigint,
			'shifted', EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = a.attrelid AND b.attnum BETWEEN 1 AND a.attnum AND b.attisdropped),
			'not_null', a.attnotnull OR t.typnotnull, 'generated', a.attgenerated <> '',
			'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END) ORDER BY a.attnum)
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
			LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = %[1]d AND a.attnum > 0 AND NOT a.attisdropped),
	'indexes', (SELECT json_agg(json_build_object('primary', i.indisprimary, 'identity', i.indisreplident,
			'columns', (SELECT json_agg(a.attname ORDER BY k.ord)
				FROM unnest(i.indkey) WITH ORDINALITY k(attnum, ord) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
				WHERE k.ord <= i.indnkeyatts)) ORDER BY i.indisclustered DESC, c.relname)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid = %[1]d AND (i.indisprimary OR i.indisreplident OR i.indisunique AND i.indisvalid AND i.indimmediate
			AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM unnest(i.indkey) WITH ORDINALITY k(attnum, ord)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.ord <= i.indnkeyatts AND NOT a.attnotnull))),
	'types', (SELECT json_agg(json_build_object('oid', t.oid::bigint, 'schema', n.nspname, 'name', t.typname,
			'kind', CASE WHEN t.typtype <> 'd' AND t.typcategory = 'A' THEN 'a' WHEN t.typtype = 'p' THEN 'b' ELSE t.typtype::text END,
			'elem', CASE WHEN t.typtype = 'd' THEN t.typbasetype::bigint
				WHEN t.typcategory = 'A' THEN t.typelem::bigint
				WHEN t.typtype = 'r' THEN (SELECT r.rngsubtype::bigint FROM pg_range r WHERE r.rngtypid = t.oid)
				WHEN t.typtype = 'm' THEN (SELECT r.rngtypid::bigint FROM pg_range r WHERE r.rngmultitypid = t.oid) END,
			'mod', t.typtypmod, 'delimiter', (SELECT e.typdelim FROM pg_type e WHERE e.oid = t.typelem AND t.typcategory = 'A'),
			'labels', CASE WHEN t.typtype = 'e' THEN
				(SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) END,
			'fields', CASE WHEN t.typtype = 'c' THEN
				(SELECT json_agg(json_build_object('name', a.attname, 'oid', a.atttypid::bigint, 'mod', a.atttypmod) ORDER BY a.attnum)
				FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END))
		FROM needed JOIN pg_type t USING (oid) JOIN pg_namespace n ON n.oid = t.typnamespace)
)::text`
