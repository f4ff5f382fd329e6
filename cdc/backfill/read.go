package backfill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/cdc/catalog"
	"penstock/schema"
)

// ReadPrefix is that of the messages which readers write to the log behind what they
// have read. They say nothing.
const ReadPrefix = "penstock.backfill.read"

// maxChunk is how many bytes of rows one chunk may have, if it is of more than one block.
const maxChunk = 32 << 20

// Chunk is rows that were read in one snapshot.
type Chunk struct {
	Order    Order
	Relation *schema.Relation // as the log has it, described
	Snapshot Snapshot
	// After is a place in the log behind the commits of all that the snapshot sees.
	After schema.LSN
	Rows  []byte // in the text format of COPY, a line each

	Missed []Missed // of a sweep
	Last   bool     // no more of them are to come
}

// Plan is what there is to read of a table.
type Plan struct {
	Parts    []Part
	Estimate int64 // rows; -1 is not known
}

// ErrRewritten says that a table's rows have moved to other blocks since it was planned.
var ErrRewritten = errors.New("the table was rewritten")

// narrowLimit bounds the search for the blocks of a range, for nothing may hold back vacuum.
const narrowLimit = 5 * time.Second

// errTooLarge says that fewer blocks have to be read at once.
var errTooLarge = errors.New("too much for one chunk")

// reader reads on a connection of its own. Not safe for concurrent use.
type reader struct {
	connect      func(context.Context) (*pgx.Conn, error)
	publications []string
	catalog      *catalog.Reader
	db           *pgx.Conn // nil before the first order and after a lost connection
	room         int       // bytes that the last chunk took: the next one takes about as many
}

func newReader(connect func(context.Context) (*pgx.Conn, error), publications []string) *reader {
	return &reader{connect: connect, publications: publications, catalog: catalog.New(connect)}
}

// open connects. What a reader writes has to be in the log, and nowhere else; a policy that
// would hide rows is an error.
func (r *reader) open(ctx context.Context) (*pgx.Conn, error) {
	db, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	const settings = "SET synchronous_commit TO local; SET row_security TO off; SET statement_timeout TO 0; SET lock_timeout TO 0; " +
		"SET standard_conforming_strings TO on"
	if _, err := db.Exec(ctx, settings); err != nil {
		_ = db.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return db, nil
}

func (r *reader) close(ctx context.Context) {
	_ = r.catalog.Close(ctx) // what only reads may end as it likes
	if r.db != nil {
		_ = r.db.Close(ctx)
		r.db = nil
	}
}

// in runs do in a transaction that only reads, in one snapshot, which is taken by
// the first query of do, when tables is locked against being rewritten.
func (r *reader) in(ctx context.Context, lock string, do func(context.Context, *pgx.Conn) error) error {
	if r.db == nil || r.db.IsClosed() {
		var err error
		if r.db, err = r.open(ctx); err != nil {
			return err
		}
	}
	tx, err := r.db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing is written
	if _, err := tx.Exec(ctx, "LOCK TABLE "+lock+" IN ACCESS SHARE MODE"); err != nil {
		return err
	}
	if err := do(ctx, r.db); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// plan finds the parts of a table.
func (r *reader) plan(ctx context.Context, o *Order) (p Plan, err error) {
	var condition string
	err = r.in(ctx, quoted(o.Table), func(ctx context.Context, db *pgx.Conn) error {
		rel, _, err := r.keyed(ctx, db, o.Table)
		if err != nil {
			return err
		}
		if p.Parts, p.Estimate, err = r.parts(ctx, db, rel.OID); err != nil {
			return err
		}
		if err := o.Scope.check(rel); err != nil {
			return err
		}
		condition = o.Scope.condition(rel)
		if condition == "" {
			return nil
		}
		if err := o.Scope.checkRange(ctx, db, rel); err != nil {
			return err
		}
		// One that does not hold water is found now, and so is one of several statements: nothing is carried out.
		_, err = db.Prepare(ctx, "", "SELECT FROM "+quoted(o.Table)+" WHERE ("+condition+")")
		return err
	})
	if err != nil || !o.Scope.Ranged() {
		return p, err
	}
	for i := range p.Parts {
		if err := r.narrow(ctx, &p.Parts[i], condition); err != nil {
			return p, err
		}
	}
	return p, nil
}

// narrow leaves out the blocks before the first and behind the last row of a range. What moves
// there later comes by the stream. Where no index tells within narrowLimit, all blocks are read.
func (r *reader) narrow(ctx context.Context, p *Part, condition string) error {
	err := r.in(ctx, quoted(p.Name), func(ctx context.Context, db *pgx.Conn) error {
		if _, err := db.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout TO %d", narrowLimit.Milliseconds())); err != nil {
			return err
		}
		var filenode uint32
		var first, last int64
		err := db.QueryRow(ctx, `
			SELECT coalesce(pg_relation_filenode($1::oid::regclass), 0), coalesce((min(ctid)::text::point)[0]::bigint, 0),
				coalesce((max(ctid)::text::point)[0]::bigint, -1)
			FROM ONLY `+quoted(p.Name)+" WHERE "+condition, p.OID).Scan(&filenode, &first, &last)
		if err == nil && filenode == p.Filenode { // else it is noticed when it is read
			p.First, p.Blocks = uint32(first), uint32(last+1)
		}
		return err
	})
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == "57014" {
		return nil
	}
	return err
}

// keyed is the relation, described, of a table whose rows can be told apart.
func (r *reader) keyed(ctx context.Context, db *pgx.Conn, table schema.TableName) (*schema.Relation, string, error) {
	rel, filter, err := r.relation(ctx, db, table)
	if err == nil {
		err = r.catalog.Describe(ctx, rel)
	}
	if err != nil {
		return nil, "", err
	}
	if rel.Key == nil {
		return nil, "", &Refusal{What: "the table has no key", Why: "what was changed while it is read could not be told", Fix: "give it a primary key"}
	}
	for _, i := range rel.Key {
		if c := &rel.Columns[i]; !c.Identity {
			return nil, "", &Refusal{
				What: fmt.Sprintf("column %s of the key is not in the replica identity", c.Name), Why: "the log does not say which row was deleted while it is read",
				Fix: "ALTER TABLE " + quoted(table) + " REPLICA IDENTITY DEFAULT, or FULL",
			}
		}
	}
	return rel, filter, nil
}

// parts lists what holds the rows. The statistics know of a table only once it was
// vacuumed or analysed.
func (r *reader) parts(ctx context.Context, db *pgx.Conn, oid uint32) (parts []Part, estimate int64, err error) {
	rows, err := db.Query(ctx, `
		SELECT c.oid, n.nspname, c.relname, coalesce(pg_relation_filenode(c.oid), 0), c.relkind::text, c.reltuples::bigint,
			coalesce(pg_relation_size(c.oid) / current_setting('block_size')::bigint, 0)
		FROM (SELECT $1::oid AS oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf) t
			JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY n.nspname, c.relname`, oid)
	if err != nil {
		return nil, 0, err
	}
	var p Part
	var kind string
	var tuples, blocks int64
	_, err = pgx.ForEachRow(rows, []any{&p.OID, &p.Name.Schema, &p.Name.Name, &p.Filenode, &kind, &tuples, &blocks}, func() error {
		if kind == "f" {
			return &Refusal{
				What: fmt.Sprintf("partition %s is a foreign table", p.Name), Why: "its changes are not in this server's log",
				Fix: "detach it, or leave the table to its other server",
			}
		}
		if kind == "p" { // it has no rows itself
			return nil
		}
		p.Blocks = uint32(blocks)
		parts = append(parts, p)
		if tuples < 0 || estimate < 0 {
			estimate = -1
		} else {
			estimate += tuples
		}
		return nil
	})
	return parts, estimate, err
}

// read reads the rows of an order.
func (r *reader) read(ctx context.Context, o *Order) (*Chunk, error) {
	c := &Chunk{Order: *o}
	from := o.Name
	if o.Keys != nil {
		from = o.Table
	}
	err := r.in(ctx, quoted(from), func(ctx context.Context, db *pgx.Conn) error {
		var snapshot string
		var filenode uint32
		err := db.QueryRow(ctx, "SELECT pg_current_snapshot()::text, coalesce(pg_relation_filenode($1::oid::regclass), 0)", o.OID).Scan(&snapshot, &filenode)
		if err != nil {
			return err
		}
		if c.Snapshot, err = ParseSnapshot(snapshot); err != nil {
			return err
		}
		if o.Keys == nil && filenode != o.Filenode {
			return ErrRewritten
		}
		rel, filter, err := r.relation(ctx, db, o.Table)
		if err != nil {
			return err
		}
		c.Relation = rel
		if err := r.catalog.Describe(ctx, rel); err != nil {
			return err
		}
		if err := o.Scope.check(rel); err != nil { // it may have been altered
			return err
		}
		out := &lines{data: make([]byte, 0, r.room), limit: maxChunk}
		if o.Span.To-o.Span.From <= 1 {
			out.limit = 0
		}
		_, err = db.PgConn().CopyTo(ctx, out, r.copySQL(o, rel, from, filter))
		c.Rows, r.room = out.data, min(len(out.data)+len(out.data)/16, maxChunk)
		if out.over {
			return errTooLarge
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.After, err = r.after(ctx)
	return c, err
}

// after is a place in the log behind the commits of all that was read before.
func (r *reader) after(ctx context.Context) (schema.LSN, error) {
	var text string
	if err := r.db.QueryRow(ctx, "SELECT pg_logical_emit_message(true, $1, '')::text", ReadPrefix).Scan(&text); err != nil {
		return 0, err
	}
	return schema.ParseLSN(text)
}

func (r *reader) copySQL(o *Order, rel *schema.Relation, from schema.TableName, filter string) string {
	var columns []string
	for i := range rel.Columns {
		column := "NULL"
		if o.Scope.Reads(rel, i) {
			column = pgx.Identifier{rel.Columns[i].Name}.Sanitize()
		}
		columns = append(columns, column)
	}
	where := fmt.Sprintf("ctid >= '(%d,0)' AND ctid < '(%d,0)'", o.Span.From, o.Span.To)
	only := "ONLY "
	if o.Keys != nil {
		only, where = "", keysSQL(rel, o.Keys)
	}
	for _, more := range []string{filter, o.Scope.condition(rel)} {
		if more != "" {
			where += " AND (" + more + ")"
		}
	}
	return fmt.Sprintf("COPY (SELECT %s FROM %s%s WHERE %s) TO STDOUT", strings.Join(columns, ", "), only, quoted(from), where)
}

// keysSQL is a condition for the rows of keys.
func keysSQL(rel *schema.Relation, keys []Key) string {
	var rows []string
	for _, key := range keys {
		if texts := SplitKey(string(key)); len(texts) == len(rel.Key) { // else the key has other columns now, and the job is about to learn it
			rows = append(rows, row(texts))
		}
	}
	if len(rows) == 0 {
		return "false"
	}
	return keyNames(rel, len(rel.Key)) + " IN (" + strings.Join(rows, ", ") + ")"
}

func quoted(t schema.TableName) string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

// lines takes the rows of a COPY.
type lines struct {
	data  []byte
	limit int // bytes; 0 is none
	over  bool
}

func (l *lines) Write(p []byte) (int, error) {
	if l.limit > 0 && len(l.data)+len(p) > l.limit {
		l.over = true
		return 0, errTooLarge
	}
	l.data = append(l.data, p...)
	return len(p), nil
}
