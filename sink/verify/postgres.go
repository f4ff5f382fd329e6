package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink/plan"
)

// postgres is the source database, over two connections: one that holds a snapshot,
// and one beside it.
type postgres struct {
	plan   *plan.Plan
	reader *pgx.Conn
	beside *pgx.Conn
	where  string

	stream, lookup table
	flushes        bool // pg_logical_emit_message takes a fourth argument
}

// table is one of the two source tables.
type table struct {
	name    schema.TableName
	sql     string // quoted; with ONLY unless it is partitioned, for the capture does not see children
	columns []string
	join    string
	key     []keyColumn
	idle    string  // a column that may be set to what it is
	rows    float64 // estimated
}

// keyColumn is a column of a table's key.
type keyColumn struct {
	name string // quoted
	cast string // its type, quoted
}

// openPostgres connects. Rows are printed there as the capture has them printed.
func openPostgres(ctx context.Context, cfg *Config) (*postgres, error) {
	parsed, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "source.dsn", What: "cannot be read", Err: err, Fix: "postgres://user:password@host:5432/database"}
	}
	maps.Copy(parsed.RuntimeParams, map[string]string{
		"application_name": "penstock verify", "client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "postgres", "TimeZone": "UTC",
		"extra_float_digits": "1", "bytea_output": "hex", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"row_security": "off", // a row that a policy hides would be one that is missing
	})
	p := &postgres{plan: cfg.Plan, where: fmt.Sprintf("postgres at %s:%d", parsed.Host, parsed.Port)}
	for _, conn := range []**pgx.Conn{&p.reader, &p.beside} {
		if *conn, err = pgx.ConnectConfig(ctx, parsed); err != nil {
			p.close(ctx)
			return nil, p.fault("connect", err)
		}
	}
	streamColumns, lookupColumns := cfg.Plan.SourceColumns()
	p.stream = table{name: cfg.Plan.Stream, columns: streamColumns, join: streamColumns[cfg.Plan.Join]}
	first, _ := cfg.Plan.LookupSlots()
	p.lookup = table{name: cfg.Plan.Lookup, columns: lookupColumns, join: lookupColumns[cfg.Plan.LookupKey()-first]}
	for _, slot := range cfg.Plan.Key {
		p.stream.key = append(p.stream.key, keyColumn{name: streamColumns[slot]})
	}
	p.lookup.key = []keyColumn{{name: p.lookup.join}}
	for _, t := range []*table{&p.stream, &p.lookup} {
		if err := p.describe(ctx, t); err != nil {
			p.close(ctx)
			return nil, err
		}
	}
	if err := p.beside.QueryRow(ctx, "SELECT current_setting('server_version_num')::int >= 170000").Scan(&p.flushes); err != nil {
		p.close(ctx)
		return nil, p.fault("ask for the version", err)
	}
	return p, nil
}

func (p *postgres) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, conn := range []*pgx.Conn{p.reader, p.beside} {
		if conn != nil {
			_ = conn.Close(ctx) // nothing is lost with it
		}
	}
}

// describe asks the catalogue for what is not declared of a table.
func (p *postgres) describe(ctx context.Context, t *table) error {
	var kind string
	err := p.beside.QueryRow(ctx, `SELECT c.relkind::text, greatest(c.reltuples, 0) + coalesce((
			SELECT sum(greatest(part.reltuples, 0)) FROM pg_partition_tree(c.oid) tree JOIN pg_class part ON part.oid = tree.relid
			WHERE tree.isleaf AND c.relkind = 'p'), 0)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
		t.name.Schema, t.name.Name).Scan(&kind, &t.rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return &fault.Error{Kind: fault.Usage, Where: p.where, What: fmt.Sprintf("table %s does not exist", t.name), Fix: "correct the pipeline, or source.dsn"}
	}
	if err != nil {
		return p.fault("describe table "+t.name.String(), err)
	}
	if t.sql = quoted(t.name.Schema, t.name.Name); kind == "r" {
		t.sql = "ONLY " + t.sql
	}
	rows, err := p.beside.Query(ctx, `SELECT a.attname, quote_ident(tn.nspname) || '.' || quote_ident(ty.typname), a.attgenerated <> '' OR a.attidentity = 'a'
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_type ty ON ty.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = ty.typnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, t.name.Schema, t.name.Name)
	if err != nil {
		return p.fault("describe table "+t.name.String(), err)
	}
	types := map[string]string{}
	var name, cast string
	var fixed bool
	if _, err = pgx.ForEachRow(rows, []any{&name, &cast, &fixed}, func() error {
		types[name] = cast
		if !fixed && (t.idle == "" || name == t.join) {
			t.idle = quoted(name)
		}
		return nil
	}); err != nil {
		return p.fault("describe table "+t.name.String(), err)
	}
	for _, column := range t.columns {
		if types[column] == "" {
			return &fault.Error{
				Kind: fault.Usage, Where: p.where, What: fmt.Sprintf("table %s has no column %s", t.name, column), Fix: "correct the pipeline, or source.dsn",
			}
		}
	}
	for i := range t.key {
		t.key[i] = keyColumn{name: quoted(t.key[i].name), cast: types[t.key[i].name]}
	}
	return nil
}

func quoted(names ...string) string { return pgx.Identifier(names).Sanitize() }

// list names the columns of a table, as an alias.
func (t *table) list(alias string) string {
	names := make([]string, len(t.columns))
	for i, column := range t.columns {
		names[i] = alias + "." + quoted(column)
	}
	return strings.Join(names, ", ")
}

// joined is the FROM of the stream table as s, joined to the lookup table as l.
func (p *postgres) joined() string {
	return p.stream.sql + " s " + p.joining()
}

func (p *postgres) joining() string {
	return fmt.Sprintf("LEFT JOIN %s l ON l.%s = s.%s", p.lookup.sql, quoted(p.lookup.join), quoted(p.stream.join))
}

// streamRow makes a row of the texts of both tables' columns.
func (p *postgres) streamRow(texts [][]byte) *sourceRow {
	own, joined := texts[:len(p.stream.columns)], texts[len(p.stream.columns):]
	r := &sourceRow{side: stream, join: string(own[p.plan.Join])}
	row, err := p.plan.ReadStream(own)
	if err != nil {
		r.key, r.err = p.rawKey(own), err
		return r
	}
	r.row, r.key = row, string(p.plan.AppendRowKey(nil, row))
	var lookup plan.LookupRow
	if joined[p.plan.LookupKey()-len(p.stream.columns)] != nil {
		if lookup, r.err = p.plan.ReadLookup(joined); r.err != nil {
			return r
		}
	}
	if r.err = p.plan.Derive(row); r.err != nil {
		return r
	}
	if r.err = p.plan.Enrich(row, &lookup); r.err != nil {
		return r
	}
	r.passes, r.err = p.plan.Passes(row)
	return r
}

// rawKey is the key of a row that cannot be read as a whole.
func (p *postgres) rawKey(texts [][]byte) string {
	row := p.plan.NewRow()
	for _, slot := range p.plan.Key {
		row[slot], _ = plan.ParseText(p.plan.Slots[slot].Type, string(texts[slot])) // none is a key of its own
	}
	return string(p.plan.AppendRowKey(nil, row))
}

func (p *postgres) lookupRow(texts [][]byte) *sourceRow {
	row, err := p.plan.ReadLookup(texts)
	r := &sourceRow{side: lookup, lookup: &row, err: err}
	if err != nil {
		at := slices.Index(p.lookup.columns, p.lookup.join)
		row.Key, _ = plan.ParseText(p.plan.Slots[p.plan.LookupKey()].Type, string(texts[at]))
	}
	r.key, r.join = string(plan.AppendValue(nil, row.Key)), plan.KeyText(row.Key)
	return r
}

// fault classes an error of Postgres.
func (p *postgres) fault(doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: p.where, What: doing, Err: err, Fix: "start Postgres, or correct source.dsn"}
	refused, answered := errors.AsType[*pgconn.PgError](err)
	if !answered {
		return f
	}
	const login, noDatabase, forbidden = "28", "3D000", "42501"
	f.Err, f.Fix = refused, ""
	switch {
	case strings.HasPrefix(refused.Code, login), refused.Code == noDatabase:
		f.Kind, f.Fix = fault.Usage, "correct user, password and database of source.dsn"
	case refused.Code == forbidden:
		f.Kind = fault.Usage
		f.Fix = fmt.Sprintf("GRANT SELECT ON %s, %s TO the user of source.dsn; policies of row security must not hide rows from it", p.stream.name, p.lookup.name)
	default:
		f.Kind = fault.Runtime
	}
	return f
}
