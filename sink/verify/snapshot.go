package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"penstock/schema"
	"penstock/sink/plan"
)

// snapshot is a state of the source database. Every commit that it shows ended below
// lsn; it shows nothing of a commit that began at or above it.
type snapshot struct {
	tx     pgx.Tx
	of     *postgres
	lsn    schema.LSN
	micros int64 // when it was taken, microseconds since the Unix epoch, by Postgres' clock

	// A commit that waits for a synchronous standby is in the log, and in the stores, and
	// not seen yet. Where there may be such, xmin is the oldest transaction that was
	// running, and xmax the next to come.
	synchronous bool
	xmin, xmax  uint64
}

// begin takes a snapshot, which has to be ended.
func (p *postgres) begin(ctx context.Context) (*snapshot, error) {
	tx, err := p.reader.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, p.fault("take a snapshot", err)
	}
	s := &snapshot{tx: tx, of: p}
	var lsn string
	// The functions run when the snapshot is taken: what it shows is in the log by then.
	err = tx.QueryRow(ctx, `SELECT pg_current_wal_insert_lsn()::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
		current_setting('synchronous_standby_names') <> '',
		pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint`).
		Scan(&lsn, &s.micros, &s.synchronous, &s.xmin, &s.xmax)
	if err == nil {
		s.lsn, err = schema.ParseLSN(lsn)
	}
	if err != nil {
		s.end(ctx)
		return nil, p.fault("take a snapshot", err)
	}
	return s, nil
}

// end lets go of the snapshot. It may be called again.
func (s *snapshot) end(ctx context.Context) { _ = s.tx.Rollback(context.WithoutCancel(ctx)) }

// scan visits the rows of both tables, those of the stream table joined. A row is
// valid during the call only.
func (s *snapshot) scan(ctx context.Context, visit func(*sourceRow) error) error {
	for _, t := range []struct {
		query   string
		columns int
		row     func([][]byte) *sourceRow
	}{
		{"SELECT " + s.of.lookup.list("l") + " FROM " + s.of.lookup.sql + " l", len(s.of.lookup.columns), s.of.lookupRow},
		{
			"SELECT " + s.of.stream.list("s") + ", " + s.of.lookup.list("l") + " FROM " + s.of.joined(),
			len(s.of.stream.columns) + len(s.of.lookup.columns), s.of.streamRow,
		},
	} {
		var failed error // else wrapped in what pgx makes of it
		rows := &copyRows{columns: t.columns, visit: func(texts [][]byte) error {
			failed = visit(t.row(texts))
			return failed
		}}
		if _, err := s.of.reader.PgConn().CopyTo(ctx, rows, "COPY ("+t.query+") TO STDOUT"); err != nil {
			if failed != nil {
				return failed
			}
			return s.of.fault("read the tables", err)
		}
	}
	return nil
}

// fetchKeys is how many rows are asked for in one query.
const fetchKeys = 1000

// fetch reads rows of one side by their keys; a row that is not there is not in the map.
func (s *snapshot) fetch(ctx context.Context, of side, keys []string) (map[string]*sourceRow, error) {
	found := make(map[string]*sourceRow, len(keys))
	for some := range slices.Chunk(keys, fetchKeys) {
		query, row := s.of.lookupQuery(), s.of.lookupRow
		if of == stream {
			query, row = s.of.streamQuery(), s.of.streamRow
		}
		args, err := s.of.keyArgs(of, some)
		if err != nil {
			return nil, err
		}
		result := s.of.reader.PgConn().ExecParams(ctx, query, args, nil, nil, nil).Read()
		if result.Err != nil {
			return nil, s.of.fault("read rows by their keys", result.Err)
		}
		for _, texts := range result.Rows {
			n, err := strconv.Atoi(string(texts[0]))
			if err != nil || n < 1 || n > len(some) {
				return nil, fmt.Errorf("row %q of %d keys: %w", texts[0], len(some), err)
			}
			r := row(texts[2:])
			r.key, r.state = some[n-1], string(texts[1])
			found[r.key] = r
		}
	}
	return found, nil
}

// keysOf is a FROM of keys that come as one array of texts a column, numbered, and the
// condition by which a table has them.
func (t *table) keysOf(alias string) (from, condition string) {
	arrays, names, terms := make([]string, len(t.key)), make([]string, len(t.key)), make([]string, len(t.key))
	for i, c := range t.key {
		arrays[i], names[i] = fmt.Sprintf("$%d::text[]", i+1), fmt.Sprintf("k%d", i)
		terms[i] = fmt.Sprintf("%s.%s = k.k%d::%s", alias, c.name, i, c.cast)
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS k(" + strings.Join(names, ", ") + ", n)", strings.Join(terms, " AND ")
}

func (p *postgres) streamQuery() string {
	from, condition := p.stream.keysOf("s")
	return "SELECT k.n, concat_ws(' ', s.xmin, s.ctid, l.xmin, l.ctid), " + p.stream.list("s") + ", " + p.lookup.list("l") +
		" FROM " + from + " JOIN " + p.stream.sql + " s ON " + condition + " " + p.joining()
}

func (p *postgres) lookupQuery() string {
	from, condition := p.lookup.keysOf("l")
	return "SELECT k.n, concat_ws(' ', l.xmin, l.ctid), " + p.lookup.list("l") + " FROM " + from + " JOIN " + p.lookup.sql + " l ON " + condition
}

// keyArgs are the parameters for some keys, in text format. A key that is none of the
// table's, as one of somebody else in a store, is NULL.
func (p *postgres) keyArgs(of side, keys []string) ([][]byte, error) {
	columns := len(p.lookup.key)
	if of == stream {
		columns = len(p.stream.key)
	}
	texts := make([][]*string, columns)
	for _, key := range keys {
		values, err := plan.ParseValues([]byte(key))
		for i := range texts {
			var text *string
			if err == nil && len(values) == columns {
				text = textOf(values[i])
			}
			texts[i] = append(texts[i], text)
		}
	}
	args := make([][]byte, columns)
	for i := range args {
		var err error
		if args[i], err = p.reader.TypeMap().Encode(pgtype.TextArrayOID, pgx.TextFormatCode, texts[i], nil); err != nil {
			return nil, fmt.Errorf("encode keys: %w", err)
		}
	}
	return args, nil
}
