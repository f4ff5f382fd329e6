package backfill

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// Refusal is why a table cannot be backfilled.
type Refusal struct{ What, Why, Fix string }

// Error says what is wrong.
func (r *Refusal) Error() string { return r.What }

// Reason is what is wrong, and why that is a problem.
func (r *Refusal) Reason() string {
	if r.Why == "" {
		return r.What
	}
	return r.What + ": " + r.Why
}

// Refused says which of the tables cannot be held against Kafka and read, as far as that is known before it is
// done, and why.
func (p *Pool) Refused(ctx context.Context, tables []schema.TableName) (map[schema.TableName]*Refusal, error) {
	r := newReader(p.Connect, p.Publications)
	defer r.close(context.WithoutCancel(ctx))
	all := map[schema.TableName]*Refusal{}
	for _, table := range tables {
		err := r.in(ctx, quoted(table), func(ctx context.Context, db *pgx.Conn) error {
			rel, _, err := r.keyed(ctx, db, table)
			if err == nil {
				_, err = p.Held(ctx, rel)
			}
			return err
		})
		if why, ok := errors.AsType[*Refusal](refused(err)); ok {
			all[table] = why
		} else if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// relation is a table as the log has it, with the columns that the publications send,
// and the filter of its rows, empty for none. Column lists and filters are known from
// Postgres 15 on, which has them.
func (r *reader) relation(ctx context.Context, db *pgx.Conn, table schema.TableName) (rel *schema.Relation, filter string, err error) {
	rows, err := db.Query(ctx, `
		SELECT ARRAY (SELECT jsonb_array_elements_text(to_jsonb(p) -> 'attnames')), coalesce(to_jsonb(p) ->> 'rowfilter', '')
		FROM pg_publication_tables p WHERE pubname = ANY ($1) AND schemaname = $2 AND tablename = $3 ORDER BY pubname`, r.publications, table.Schema, table.Name)
	if err != nil {
		return nil, "", err
	}
	var columns []string
	var filters []string
	published, whole := false, false
	var one []string
	if _, err = pgx.ForEachRow(rows, []any{&one, &filter}, func() error {
		columns, published = one, true // Postgres refuses publications whose lists differ
		filters, whole = append(filters, "("+filter+")"), whole || filter == ""
		return nil
	}); err != nil {
		return nil, "", err
	}
	if !published {
		return nil, "", &Refusal{
			What: "no publication of the capture has the table", Why: "its changes meanwhile would not come",
			Fix: fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s", strings.Join(r.publications, " or "), quoted(table)),
		}
	}
	if filter = strings.Join(filters, " OR "); whole {
		filter = ""
	}
	rel, err = r.columns(ctx, db, table, columns)
	return rel, filter, err
}

// columns asks for the columns as pgoutput announces them: generated ones only from
// Postgres 18 on, and if a list names them.
func (r *reader) columns(ctx context.Context, db *pgx.Conn, table schema.TableName, listed []string) (*schema.Relation, error) {
	rel := &schema.Relation{Table: table}
	rows, err := db.Query(ctx, `
		SELECT c.oid, c.relreplident::text, a.attname, a.atttypid, a.atttypmod, CASE c.relreplident WHEN 'f' THEN true
			WHEN 'n' THEN false ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
				AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END) END
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped AND (cardinality($3::text[]) = 0 OR a.attname = ANY ($3))
			AND (a.attgenerated = '' OR current_setting('server_version_num')::int >= 180000 AND cardinality($3::text[]) > 0)
		ORDER BY a.attnum`, table.Schema, table.Name, append([]string{}, listed...))
	if err != nil {
		return nil, err
	}
	var c schema.Column
	var identity string
	if _, err = pgx.ForEachRow(rows, []any{&rel.OID, &identity, &c.Name, &c.TypeOID, &c.TypeMod, &c.Identity}, func() error {
		rel.Identity = schema.ReplicaIdentity(identity[0])
		rel.Columns = append(rel.Columns, c)
		return nil
	}); err != nil {
		return nil, err
	}
	return rel, nil
}
