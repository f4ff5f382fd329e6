package slot

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is where this package runs its SQL: a *pgx.Conn, a pool or a transaction, of
// the database that the slot or publication belongs to. Creating a slot must not
// be part of a transaction that has written. Errors are pgx's own.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
