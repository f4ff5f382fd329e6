package slot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/internal/fault"
	"penstock/schema"
)

// The SQLSTATEs that mean something here (Postgres documentation, appendix A). The
// messages' text depends on version and language and is never looked at.
const (
	notSupported          = "0A000"
	readOnlyTransaction   = "25006"
	undefinedSchema       = "3F000"
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
	duplicateObject       = "42710"
	undefinedFunction     = "42883"
	undefinedTable        = "42P01"
	limitExceeded         = "53400"
	notInPrerequisite     = "55000"
	objectInUse           = "55006"
)

func isState(err error, state string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == state
}

// explain turns what went wrong at a place into a fault. It may ask the server for
// what the fix depends on; when that fails too, the fault says less.
func explain(ctx context.Context, db DB, err error, where string) error {
	var server *pgconn.PgError
	switch {
	case isState(err, notInPrerequisite):
		return notLogical(ctx, db, where, err)
	case isState(err, limitExceeded):
		return noFreeSlot(ctx, db, where, err)
	case isState(err, insufficientPrivilege):
		return noReplication(ctx, db, where, err)
	case isState(err, readOnlyTransaction):
		return &fault.Error{
			Kind: fault.Refused, Where: where, What: "the server takes no writes", Err: err,
			Why: "it is a standby, or the session is read only",
			Fix: "connect to the primary: the change reaches the standby by replication",
		}
	case passes(err):
		return &fault.Error{
			Kind: fault.Unreachable, Where: where, What: "Postgres does not answer", Err: err,
			Fix: "wait for the server, or see its log",
		}
	case errors.As(err, &server):
		return &fault.Error{Where: where, What: "Postgres refused", Why: server.Detail, Fix: server.Hint, Err: err}
	}
	return &fault.Error{Where: where, What: "asking Postgres failed", Err: err}
}

// passes tells that the server is gone, not yet there or full, or that the
// connection broke: the same question may be answered later, on a new connection.
func passes(err error) bool {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Connections, exhausted resources (but limitExceeded), an operator who stops something, the system below.
		return len(server.Code) == 5 && slices.Contains([]string{"08", "53", "57", "58"}, server.Code[:2])
	}
	if _, ok := errors.AsType[net.Error](err); ok { // also a deadline that has passed
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, new(*pgconn.ConnectError)) || pgconn.SafeToRetry(err) // a connection that has ended before
}

func notOnStandby(name string, err error) error {
	return &fault.Error{
		Kind: fault.Refused, Where: place(name), What: "the server cannot have it", Err: err,
		Why: "a standby decodes its log from Postgres 16 on",
		Fix: "create the slot on the primary",
	}
}

func noFailover(name string, err error) error {
	return &fault.Error{
		Kind: fault.Usage, Where: place(name), What: "the server knows no failover slots", Err: err,
		Why: "Postgres has them from version 17 on",
		Fix: "create the slot without failover, or upgrade the server",
	}
}

func stillWaiting(name string, err error) error {
	return &fault.Error{
		Kind: fault.Unreachable, Where: place(name), What: "not created in time", Err: err,
		Why: "a new slot waits for every transaction that was running before it",
		Fix: "end what SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start shows",
	}
}

func notLogical(ctx context.Context, db DB, where string, err error) error {
	level, _ := setting(ctx, db, "wal_level")
	if level == "" || level == "logical" {
		return &fault.Error{Kind: fault.Refused, Where: where, What: "the server is in no state for this", Err: err}
	}
	return &fault.Error{
		Kind: fault.Usage, Where: where, What: "wal_level is " + level + ", not logical", Err: err,
		Why: "the log does not hold what logical decoding needs",
		Fix: "ALTER SYSTEM SET wal_level = logical; then restart Postgres",
	}
}

func noFreeSlot(ctx context.Context, db DB, where string, err error) error {
	f := &fault.Error{
		Kind: fault.Refused, Where: where, What: "no replication slot is free", Err: err,
		Fix: "drop an unused slot, or raise max_replication_slots with ALTER SYSTEM and restart Postgres",
	}
	if limit, err := setting(ctx, db, "max_replication_slots"); err == nil {
		f.Why = "max_replication_slots is " + limit
	}
	return f
}

func noReplication(ctx context.Context, db DB, where string, err error) error {
	f := &fault.Error{
		Kind: fault.Usage, Where: where, What: "the role may not use replication slots", Err: err,
		Fix: "ALTER ROLE ... REPLICATION, as a superuser",
	}
	var role string
	if db.QueryRow(ctx, "SELECT current_user").Scan(&role) == nil {
		f.What = fmt.Sprintf("role %q may not use replication slots", role)
		f.Fix = "ALTER ROLE " + pgx.Identifier{role}.Sanitize() + " REPLICATION; as a superuser"
	}
	return f
}

// setting asks for a server parameter.
func setting(ctx context.Context, db DB, name string) (string, error) {
	var value string
	err := db.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

func existing(name string, err error) error {
	return &fault.Error{
		Kind: fault.Refused, Where: place(name), What: "the slot exists already", Err: err,
		Why: "its position is its consumer's, and starting from there may miss or repeat changes",
		Fix: "choose another name, or drop it if nobody needs it: penstock slot drop " + name,
	}
}

func missing(ctx context.Context, db DB, name string, err error) error {
	f := &fault.Error{Kind: fault.Usage, Where: place(name), What: "there is no such slot", Err: err}
	all, listErr := List(ctx, db)
	switch {
	case listErr != nil:
	case len(all) == 0:
		f.Why, f.Fix = "the server has no replication slots", "nothing is left to be done here; or name another server"
	default:
		names := make([]string, len(all))
		for i, s := range all {
			names[i] = s.Name
		}
		f.Fix = "name one of the server's slots: " + strings.Join(names, ", ")
	}
	return f
}

// inUse refuses a slot that a process streams from; pid 0 means that it is unknown.
func inUse(name string, pid int32, err error) error {
	f := &fault.Error{
		Kind: fault.Refused, Where: place(name), What: "the slot is active", Err: err,
		Why: "a consumer streams from it",
		Fix: "stop the consumer, then try again",
	}
	if pid != 0 {
		f.What = fmt.Sprintf("the slot is active for pid %d", pid)
		f.Fix = fmt.Sprintf("stop its consumer, or end its session with SELECT pg_terminate_backend(%d);", pid)
	}
	return f
}

func existingPublication(name string, err error) error {
	id := pgx.Identifier{name}.Sanitize()
	return &fault.Error{
		Kind: fault.Refused, Where: publicationPlace(name), What: "the publication exists already", Err: err,
		Why: "others may subscribe to it as it is",
		Fix: "use it, add tables with ALTER PUBLICATION " + id + " ADD TABLE ..., or DROP PUBLICATION " + id + ";",
	}
}

func missingTables(ctx context.Context, db DB, name string, tables []schema.TableName, err error) error {
	f := &fault.Error{
		Kind: fault.Usage, Where: publicationPlace(name), What: "a table does not exist", Err: err,
		Fix: "create it, or correct the name; names are case-sensitive and taken from the database of the connection",
	}
	absent, askErr := pick(ctx, db, "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NULL", tables)
	if askErr == nil && len(absent) > 0 {
		f.What = "no such table: " + strings.Join(absent, ", ")
	}
	return f
}

// mayNotPublish says which of the two rights that a publication takes is missing:
// creating in the database, and owning each table.
func mayNotPublish(ctx context.Context, db DB, name, create string, tables []schema.TableName, err error) error {
	f := &fault.Error{
		Kind: fault.Usage, Where: publicationPlace(name), What: "the role may not create it", Err: err,
		Fix: "let the owner of the tables create it: " + create + ";",
	}
	var role, database string
	var mayCreate bool
	if db.QueryRow(ctx, "SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE')").
		Scan(&role, &database, &mayCreate) != nil {
		return f
	}
	if !mayCreate {
		f.What = fmt.Sprintf("role %q may not create in database %q", role, database)
		f.Fix = fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;",
			pgx.Identifier{database}.Sanitize(), pgx.Identifier{role}.Sanitize())
		return f
	}
	foreign, askErr := pick(ctx, db, `
		SELECT name FROM unnest($1::text[]) name JOIN pg_class ON pg_class.oid = to_regclass(name)
		WHERE NOT pg_has_role(relowner, 'USAGE')`, tables)
	if askErr == nil && len(foreign) > 0 {
		f.What = fmt.Sprintf("role %q does not own %s", role, strings.Join(foreign, ", "))
	}
	return f
}

// pick returns those of the tables, as SQL spells them, that a query selects.
func pick(ctx context.Context, db DB, sql string, tables []schema.TableName) ([]string, error) {
	rows, err := db.Query(ctx, sql, quoted(tables))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
