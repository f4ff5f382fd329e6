package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// table is a captured table: how it is made, and what of its rows the history
// remembers.
type table struct {
	name     string
	ddl      string
	columns  []string // all, in their order
	key      []string // the primary key
	identity []string // the replica identity's columns; nil under FULL
	external string   // a column that may be left out of the log when an update does not touch it
	rendered bool     // has values whose text depends on the session
}

// tables are all of them. Those with REPLICA IDENTITY FULL stay small enough for
// a record that holds the row twice.
func tables() []table {
	return []table{
		{
			name: "acct", columns: []string{"id", "bal", "ver"}, key: []string{"id"},
			ddl: `CREATE TABLE IF NOT EXISTS acct (id bigint PRIMARY KEY, bal bigint NOT NULL, ver bigint NOT NULL);
				ALTER TABLE acct REPLICA IDENTITY FULL`,
		}, {
			name: "evt", columns: []string{"id", "content_id", "worker", "n", "ver", "payload"}, key: []string{"id"},
			ddl: `CREATE TABLE IF NOT EXISTS evt (id bigint PRIMARY KEY, content_id bigint, worker int NOT NULL, n bigint NOT NULL,
				ver bigint NOT NULL, payload text);
				ALTER TABLE evt REPLICA IDENTITY FULL`,
		}, {
			name: "content", columns: []string{"id", "title", "ver"}, key: []string{"id"}, identity: []string{"id"},
			ddl: `CREATE TABLE IF NOT EXISTS content (id bigint PRIMARY KEY, title text, ver bigint NOT NULL)`,
		}, {
			name: "toast_t", columns: []string{"id", "ver", "small", "big"}, key: []string{"id"}, identity: []string{"id"}, external: "big",
			ddl: `CREATE TABLE IF NOT EXISTS toast_t (id bigint PRIMARY KEY, ver bigint NOT NULL, small text, big text);
				ALTER TABLE toast_t ALTER COLUMN big SET STORAGE EXTERNAL`,
		}, {
			// Its identity is an index that holds the key and one column more.
			name: "pair_t", key: []string{"a", "b"}, identity: []string{"a", "b", "u"}, rendered: true,
			columns: []string{"a", "b", "u", "ver", "num", "dbl", "flag", "at", "bin", "doc"},
			ddl: `CREATE TABLE IF NOT EXISTS pair_t (a bigint, b text, u bigint NOT NULL, ver bigint NOT NULL, num numeric, dbl float8,
				flag boolean, at timestamptz, bin bytea, doc jsonb, PRIMARY KEY (a, b));
				CREATE UNIQUE INDEX IF NOT EXISTS pair_identity ON pair_t (a, b, u);
				ALTER TABLE pair_t REPLICA IDENTITY USING INDEX pair_identity`,
		}, {
			name: "copy_t", columns: []string{"id", "ver", "v"}, key: []string{"id"}, identity: []string{"id"},
			ddl: `CREATE TABLE IF NOT EXISTS copy_t (id bigint PRIMARY KEY, ver bigint NOT NULL, v text)`,
		}, {
			name: "trunc_t", columns: []string{"id", "ver", "v"}, key: []string{"id"}, identity: []string{"id"},
			ddl: `CREATE TABLE IF NOT EXISTS trunc_t (id bigint PRIMARY KEY, ver bigint NOT NULL, v text)`,
		},
		{
			// Captured under its own name; a row that changes its region is deleted in
			// one partition and inserted in the other.
			name: "part_t", columns: []string{"id", "region", "ver", "v"}, key: []string{"id", "region"}, identity: []string{"id", "region"},
			ddl: `CREATE TABLE IF NOT EXISTS part_t (id bigint, region text, ver bigint NOT NULL, v text, PRIMARY KEY (id, region))
				PARTITION BY LIST (region);
				CREATE TABLE IF NOT EXISTS part_a PARTITION OF part_t FOR VALUES IN ('a');
				CREATE TABLE IF NOT EXISTS part_b PARTITION OF part_t FOR VALUES IN ('b')`,
		},
	}
}

// Tables are the captured tables; the history is not among them.
func Tables() []schema.TableName {
	var names []schema.TableName
	for _, t := range tables() {
		names = append(names, t.qualified())
	}
	return names
}

func (t *table) qualified() schema.TableName { return schema.TableName{Schema: "public", Name: t.name} }

// historyDDL is the table in which Postgres itself writes down every change, in
// the change's own transaction. Images are the MD5 of the row's text, as
// ROW(...)::text prints it with the external column null; that one has an MD5 of
// its own. old is the row before, as far as the replica identity holds it.
const historyDDL = `CREATE TABLE IF NOT EXISTS history (
	seq bigint GENERATED ALWAYS AS IDENTITY, tag text, xid bigint NOT NULL, tbl text NOT NULL, op text NOT NULL,
	key text, old_key text, ver bigint, image uuid, old uuid, big uuid, old_big uuid)`

// Setup creates the source tables, the history with its triggers, and the
// replica identities. It drops nothing, and may be called again.
func Setup(ctx context.Context, dsn string) error {
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("set the workload up: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	statements := []string{historyDDL}
	for _, t := range tables() {
		statements = append(statements, t.ddl, t.remember(), t.triggers())
	}
	for _, sql := range statements {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set the workload up: %.60s: %w", sql, err)
		}
	}
	return nil
}

// remember is the trigger's function.
func (t *table) remember() string {
	settings := ""
	if t.rendered {
		settings = "SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET extra_float_digits = 1 SET bytea_output = 'hex'"
	}
	big, oldBig := "NULL::uuid", "NULL::uuid"
	if t.external != "" {
		big, oldBig = "md5(NEW."+t.external+")::uuid", "md5(OLD."+t.external+")::uuid"
	}
	oldImage := t.image("OLD", t.identity)
	changed := "true"
	if t.identity != nil {
		changed = t.row("NEW", t.identity) + " IS DISTINCT FROM " + t.row("OLD", t.identity)
	}
	return fmt.Sprintf(`CREATE OR REPLACE FUNCTION remember_%[1]s() RETURNS trigger LANGUAGE plpgsql %[2]s AS $remember$
DECLARE
	tag text := current_setting('chaos.op', true);
	xid bigint := pg_current_xact_id()::text::bigint;
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO public.history (tag, xid, tbl, op, key, ver, image, big)
		VALUES (tag, xid, '%[3]s', 'c', %[4]s::text, NEW.ver, %[6]s, %[8]s);
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO public.history (tag, xid, tbl, op, key, old_key, ver, image, old, big, old_big)
		VALUES (tag, xid, '%[3]s', 'u', %[4]s::text, nullif(%[5]s::text, %[4]s::text), NEW.ver, %[6]s,
			CASE WHEN %[10]s THEN %[7]s END, %[8]s, %[9]s);
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO public.history (tag, xid, tbl, op, key, ver, old, old_big)
		VALUES (tag, xid, '%[3]s', 'd', %[5]s::text, OLD.ver, %[7]s, %[9]s);
	ELSE
		INSERT INTO public.history (tag, xid, tbl, op) VALUES (tag, xid, '%[3]s', 't');
	END IF;
	RETURN NULL;
END $remember$`, t.name, settings, t.qualified(), t.row("NEW", t.key), t.row("OLD", t.key),
		t.image("NEW", nil), oldImage, big, oldBig, changed)
}

func (t *table) row(of string, columns []string) string {
	return "ROW(" + of + "." + strings.Join(columns, ", "+of+".") + ")"
}

// image is the MD5 of a row of which only the given columns are known, or all.
func (t *table) image(of string, known []string) string {
	fields := make([]string, len(t.columns))
	for i, c := range t.columns {
		fields[i] = of + "." + c
		if c == t.external || known != nil && !slices.Contains(known, c) {
			fields[i] = "NULL"
		}
	}
	return "md5(ROW(" + strings.Join(fields, ", ") + ")::text)::uuid"
}

func (t *table) triggers() string {
	return fmt.Sprintf(`
		CREATE OR REPLACE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON %[1]s FOR EACH ROW EXECUTE FUNCTION remember_%[1]s();
		CREATE OR REPLACE TRIGGER remember_all AFTER TRUNCATE ON %[1]s FOR EACH STATEMENT EXECUTE FUNCTION remember_%[1]s()`, t.name)
}
