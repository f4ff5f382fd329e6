package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"penstock/internal/config"
	"penstock/internal/fault"
)

// sourceFlags name a source database.
type sourceFlags struct {
	configFlags
	dsn     string
	timeout time.Duration
}

func (s *sourceFlags) register(cmd *cobra.Command) {
	s.configFlags.register(cmd)
	cmd.Flags().StringVar(&s.dsn, "dsn", "", "connection `string`, instead of source.dsn of the configuration")
	cmd.Flags().DurationVar(&s.timeout, "timeout", 30*time.Second, "how long Postgres may take")
}

// withSource connects to the source database, and runs do within the timeout.
func (a *app) withSource(ctx context.Context, from *sourceFlags, do func(context.Context, *pgx.Conn) error) error {
	dsn := from.dsn
	if dsn == "" {
		cfg, err := a.loadConfig(from.path, from.set, config.RoleCapture)
		if err != nil {
			return errors.Join(err, &fault.Error{Kind: fault.Usage, What: "no source database", Fix: "repair the configuration, or name the database with --dsn"})
		}
		dsn = cfg.Source.DSN.Reveal()
	}
	ctx, cancel := context.WithTimeout(ctx, from.timeout)
	defer cancel()
	conn, err := connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return do(ctx, conn)
}

// connect opens one SQL connection.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, What: "the connection string cannot be read", Err: err, Fix: "postgres://user:password@host:5432/database"}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		return conn, nil
	}
	f := &fault.Error{
		Kind: fault.Unreachable, Where: fmt.Sprintf("postgres at %s:%d", cfg.Host, cfg.Port), What: "no connection", Err: err,
		Fix: "start Postgres, or correct the connection string",
	}
	const badLogin, noDatabase = "28", "3D000" // a class and a state of SQLSTATE
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && (strings.HasPrefix(refused.Code, badLogin) || refused.Code == noDatabase) {
		f.Kind, f.What, f.Err, f.Fix = fault.Usage, "the server refuses the login", refused, "correct user, password and database of the connection string"
	}
	return nil, f
}
