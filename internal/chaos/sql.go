package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

const sqlTimeout = 10 * time.Second // for one statement of the rig's own

// source is the scenario's database as the rig sees it: directly, past every
// proxy, over a connection for each question, because servers come and go here.
type source struct {
	dsn  string
	slot string
}

func (s *source) do(ctx context.Context, ask func(context.Context, *pgx.Conn) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return fmt.Errorf("connect to the source: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return ask(ctx, conn)
}

// exec runs statements, each with a transaction of its own unless it begins one.
func (s *source) exec(ctx context.Context, statements ...string) error {
	return s.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		for _, sql := range statements {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%.100s: %w", sql, err)
			}
		}
		return nil
	})
}

// ask reads one row into the targets.
func (s *source) ask(ctx context.Context, sql string, args []any, into ...any) error {
	return s.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, sql, args...).Scan(into...); err != nil {
			return fmt.Errorf("%.100s: %w", sql, err)
		}
		return nil
	})
}

// logEnd is the end of the server's log.
func (s *source) logEnd(ctx context.Context) (schema.LSN, error) {
	return s.lsn(ctx, "SELECT pg_current_wal_lsn()::text")
}

// confirmed is the slot's confirmed_flush_lsn.
func (s *source) confirmed(ctx context.Context) (schema.LSN, error) {
	return s.lsn(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", s.slot)
}

func (s *source) lsn(ctx context.Context, sql string, args ...any) (schema.LSN, error) {
	var text string
	if err := s.ask(ctx, sql, args, &text); err != nil {
		return 0, err
	}
	return schema.ParseLSN(text)
}

// walsender is the process id of the server that streams from the slot, 0 for none.
func (s *source) walsender(ctx context.Context) (pid int, err error) {
	err = s.ask(ctx, "SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE slot_name = $1", []any{s.slot}, &pid)
	return pid, err
}

// streams reports whether somebody streams from the slot: a slot is active as soon as it is being created.
func (s *source) streams(ctx context.Context) (streams bool, err error) {
	err = s.ask(ctx, `SELECT EXISTS (SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
		WHERE s.slot_name = $1 AND r.state = 'streaming')`, []any{s.slot}, &streams)
	return streams, err
}

// retained is how many bytes of log the slot holds back.
func (s *source) retained(ctx context.Context) (bytes int64, err error) {
	err = s.ask(ctx, "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots WHERE slot_name = $1", []any{s.slot}, &bytes)
	return bytes, err
}

// remove ends the readers of the database's slots, and then slots and database.
func (s *source) remove(ctx context.Context, admin, name string) error {
	server := &source{dsn: admin}
	err := eventually(ctx, sqlTimeout, "the slots to be dropped", func(ctx context.Context) (string, error) {
		left := 0
		err := server.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
				WHERE database = $1 AND active_pid IS NOT NULL`, name); err != nil {
				return err
			}
			_, dropErr := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
				WHERE database = $1 AND active_pid IS NULL`, name)
			err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_replication_slots WHERE database = $1", name).Scan(&left)
			if left > 0 {
				err = errors.Join(err, dropErr)
			}
			return err
		})
		if left > 0 {
			return fmt.Sprintf("%d are left", left), err
		}
		return "", err
	})
	return errors.Join(err, server.exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"))
}

// withDatabase is dsn, a URL, with another database.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("parse dsn: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// withAddress is dsn, a URL, at another host:port.
func withAddress(dsn, address string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("parse dsn: %w", err)
	}
	u.Host = address
	return u.String(), nil
}

// withUser is dsn, a URL, as another role.
func withUser(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("parse dsn: %w", err)
	}
	u.User = url.User(name)
	return u.String(), nil
}
