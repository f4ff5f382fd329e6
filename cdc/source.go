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
	octets   bool   // the database does not know which encoding its text has
	history  string // of its timeline: the file's text, empty for the first or when the server has it no more
}

// connectSQL opens a connection for queries.
func (c *Config) connectSQL(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, badDSN(err)
	}
	c.settle(&cfg.Config)
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

// settle has a connection print the same however the server, the database or the
// role is set up: rows in the log, defaults in the catalogue.
func (c *Config) settle(cfg *pgconn.Config) {
	if c.Dial != nil {
		cfg.DialFunc = c.Dial
	}
	cfg.ConnectTimeout, cfg.AfterConnect = connectTimeout, takeBytes
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"application_name": "penstock", "client_encoding": "UTF8", "DateStyle": "ISO, YMD",
		"IntervalStyle": "postgres", "TimeZone": "UTC", "extra_float_digits": "1", "bytea_output": "hex",
		"client_min_messages": "warning", // one is all that is said of a publication that is not there
	})
}

// takeBytes has a database that does not know what its bytes mean send them as they
// are. As UTF8 it would refuse to send those that are not, and the slot would stand.
func takeBytes(ctx context.Context, conn *pgconn.PgConn) error {
	if !anyOctets(conn) {
		return nil
	}
	return conn.Exec(ctx, "SET client_encoding TO SQL_ASCII").Close()
}

func anyOctets(conn *pgconn.PgConn) bool {
	return conn.ParameterStatus("server_encoding") == "SQL_ASCII"
}

// connectReplication opens a connection in replication mode.
func (c *Config) connectReplication(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig(c.DSN)
	if err != nil {
		return nil, badDSN(err)
	}
	c.settle(cfg)
	cfg.RuntimeParams["replication"] = "database"
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
	server := identity{systemID: system.SystemID, timeline: system.Timeline, database: system.DBName, octets: anyOctets(conn)}
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
SELECT c.relreplident::text, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
	c.relkind IN ('r', 'p'), c.relpersistence = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`

// checkTables refuses tables that do not exist or cannot be joined as configured,
// all of them at once.
func checkTables(ctx context.Context, db *pgx.Conn, cfg *Config) error {
	var problems []error
	for _, t := range cfg.Tables {
		var identity string
		var hasKey, isTable, isLogged bool
		err := db.QueryRow(ctx, describeTable, t.Name.Schema, t.Name.Name).Scan(&identity, &hasKey, &isTable, &isLogged)
		switch {
		case errors.Is(err, pgx.ErrNoRows) && t.Matched: // what it had is in the log
		case errors.Is(err, pgx.ErrNoRows):
			problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "source.tables",
				What: fmt.Sprintf("table %s does not exist", t.Name),
				Fix:  "create it, or correct the name; if it was dropped or renamed: name it in source.matching, so that its last changes are delivered"})
		case err != nil:
			return postgresFault("describe table "+t.Name.String(), err)
		case !isTable:
			problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "source.tables",
				What: fmt.Sprintf("%s is a view, or something else that is no table", t.Name), Why: "only what tables hold is in the log",
				Fix: "name the tables that it is made of"})
		case !isLogged && !t.Matched:
			problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "source.tables",
				What: fmt.Sprintf("table %s is unlogged", t.Name), Why: "the log has nothing of it", Fix: fmt.Sprintf("ALTER TABLE %s SET LOGGED;", quoteTable(t.Name))})
		default:
			problems = append(problems, checkJoined(cfg, t.Name, schema.ReplicaIdentity(identity[0]), hasKey))
		}
	}
	return errors.Join(problems...)
}

// checkJoined demands a primary key and whole old rows of the tables that a
// pipeline joins: a row that leaves its join key must be found again, and a column
// too large to be logged twice must still reach the stores.
func checkJoined(cfg *Config, table schema.TableName, identity schema.ReplicaIdentity, hasKey bool) error {
	for _, p := range cfg.Pipelines {
		if table != p.Stream.Table && table != p.Lookup.Table {
			continue
		}
		if !hasKey {
			return &fault.Error{
				Kind: fault.Usage, Where: "pipelines." + p.Name, What: fmt.Sprintf("table %s has no primary key", table),
				Why: "its rows cannot be told apart in the stores", Fix: fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (...)", quoteTable(table)),
			}
		}
		if identity != schema.IdentityFull {
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

// splitNames makes two lists of the names, for unnest.
func splitNames(tables []schema.TableName) (schemas, names []string) {
	for _, t := range tables {
		schemas, names = append(schemas, t.Schema), append(names, t.Name)
	}
	return schemas, names
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
