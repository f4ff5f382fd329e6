package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/internal/fault"
	"penstock/schema"
)

// connectTimeout bounds one attempt to reach Postgres.
const connectTimeout = 10 * time.Second

// identity is who the server says it is.
type identity struct {
	systemID string
	timeline int32
	database string
	history  string // of its timeline: the file's text, empty for the first or when the server has it no more
}

// connectSQL opens a connection for queries.
func (c *Config) connectSQL(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, badDSN(err)
	}
	if c.Dial != nil {
		cfg.DialFunc = c.Dial
	}
	cfg.ConnectTimeout = connectTimeout
	cfg.RuntimeParams["application_name"] = "penstock"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, postgresFault("accept a connection", err)
	}
	return conn, nil
}

// withSQL runs do with a connection for queries of its own.
func (c *Config) withSQL(ctx context.Context, do func(*pgx.Conn) error) error {
	db, err := c.connectSQL(ctx)
	if err != nil {
		return err
	}
	err = do(db)
	if closeErr := db.Close(context.WithoutCancel(ctx)); err == nil && closeErr != nil {
		err = postgresFault("close a connection", closeErr)
	}
	return err
}

// connectReplication opens a connection in replication mode whose output does
// not depend on how the server or the role is set up.
func (c *Config) connectReplication(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig(c.DSN)
	if err != nil {
		return nil, badDSN(err)
	}
	if c.Dial != nil {
		cfg.DialFunc = c.Dial
	}
	cfg.ConnectTimeout = connectTimeout
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"replication": "database", "application_name": "penstock", "client_encoding": "UTF8", "DateStyle": "ISO, YMD",
		"IntervalStyle": "postgres", "TimeZone": "UTC", "extra_float_digits": "1", "bytea_output": "hex",
	})
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, postgresFault("accept a replication connection", err)
	}
	return conn, nil
}

func badDSN(err error) error {
	return &fault.Error{
		Kind: fault.Usage, Where: "source.dsn", What: "is not a connection string", Err: err,
		Fix: "write postgres://user:password@host:5432/database, or host=... user=... dbname=...",
	}
}

// identify asks a replication connection for the server's identity.
func identify(ctx context.Context, conn *pgconn.PgConn) (identity, error) {
	system, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return identity{}, postgresFault("identify itself", err)
	}
	server := identity{systemID: system.SystemID, timeline: system.Timeline, database: system.DBName}
	server.history, err = readHistory(ctx, conn, server.timeline)
	return server, err
}

// checkServer refuses a server that does not write what logical decoding needs,
// and one that does not write at all: a standby is worth waiting for, because it
// may be about to be promoted.
func checkServer(ctx context.Context, db *pgx.Conn) error {
	var level string
	var standby bool
	if err := db.QueryRow(ctx, "SELECT current_setting('wal_level'), pg_is_in_recovery()").Scan(&level, &standby); err != nil {
		return postgresFault("say what it is", err)
	}
	if standby {
		return &fault.Error{
			Kind: fault.Unreachable, Where: "source.dsn", What: "the server is a standby",
			Why: "its slots are copies of the primary's, which it keeps in step and lets nobody read",
			Fix: "name the primary; or all servers, with target_session_attrs=read-write, to find it after a failover",
		}
	}
	if level == "logical" {
		return nil
	}
	return &fault.Error{
		Kind: fault.Usage, Where: "postgres wal_level", What: fmt.Sprintf("is %q, logical decoding needs \"logical\"", level),
		Why: "the log does not hold the rows' values",
		Fix: "ALTER SYSTEM SET wal_level = logical; and restart the server",
	}
}

const describeTable = `
SELECT c.relreplident::text, ARRAY(
	SELECT a.attname::text
	FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, ord), pg_attribute a
	WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum
	ORDER BY k.ord)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`

// primaryKeys returns the key columns of every captured table, and refuses
// tables that cannot be captured or joined as configured, all of them at once.
//
// The log cannot be asked: under REPLICA IDENTITY FULL it marks every column.
func primaryKeys(ctx context.Context, db *pgx.Conn, cfg *Config) (map[schema.TableName][]string, error) {
	keys := map[schema.TableName][]string{}
	var problems []error
	for _, t := range cfg.Tables {
		var identity string
		var key []string
		err := db.QueryRow(ctx, describeTable, t.Name.Schema, t.Name.Name).Scan(&identity, &key)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "source.tables",
				What: fmt.Sprintf("table %s does not exist", t.Name), Fix: "create it, or correct the name"})
		case err != nil:
			return nil, postgresFault("describe table "+t.Name.String(), err)
		case len(key) == 0:
			problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "source.tables",
				What: fmt.Sprintf("table %s has no primary key", t.Name), Why: "its records would have no key",
				Fix: fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (...)", quoteTable(t.Name))})
		default:
			problems = append(problems, checkIdentity(cfg, t.Name, schema.ReplicaIdentity(identity[0])))
		}
		keys[t.Name] = key
	}
	return keys, errors.Join(problems...)
}

// checkIdentity demands whole old rows of the tables that a pipeline joins: a
// row that leaves its join key must be found again, and a column too large to be
// logged twice must still reach the stores.
func checkIdentity(cfg *Config, table schema.TableName, identity schema.ReplicaIdentity) error {
	for _, p := range cfg.Pipelines {
		if (table == p.Stream.Table || table == p.Lookup.Table) && identity != schema.IdentityFull {
			return &fault.Error{
				Kind: fault.Usage, Where: "pipelines." + p.Name,
				What: fmt.Sprintf("table %s has REPLICA IDENTITY %s", table, identity),
				Why:  "its old rows would not show which join key they leave",
				Fix:  fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY FULL;", quoteTable(table)),
			}
		}
	}
	return nil
}

func tableNames(cfg *Config) []schema.TableName {
	names := make([]schema.TableName, len(cfg.Tables))
	for i, t := range cfg.Tables {
		names[i] = t.Name
	}
	return names
}

func quoteTable(t schema.TableName) string {
	return pgx.Identifier{t.Schema, t.Name}.Sanitize()
}

// logEnds returns the slot's confirmed_flush_lsn, the end of the log that is
// safely on the server's disk, and the process that holds the slot, 0 for none.
func logEnds(ctx context.Context, db *pgx.Conn, slot string) (confirmed, flushed schema.LSN, pid int32, err error) {
	var confirmedText, flushedText string
	const query = `SELECT confirmed_flush_lsn::text, pg_current_wal_flush_lsn()::text, coalesce(active_pid, 0)
		FROM pg_replication_slots WHERE slot_name = $1`
	if err := db.QueryRow(ctx, query, slot).Scan(&confirmedText, &flushedText, &pid); err != nil {
		return 0, 0, 0, postgresFault("describe slot "+slot, err)
	}
	if confirmed, err = schema.ParseLSN(confirmedText); err != nil {
		return 0, 0, 0, fmt.Errorf("slot %s: confirmed_flush_lsn: %w", slot, err)
	}
	if flushed, err = schema.ParseLSN(flushedText); err != nil {
		return 0, 0, 0, fmt.Errorf("pg_current_wal_flush_lsn: %w", err)
	}
	return confirmed, flushed, pid, nil
}
