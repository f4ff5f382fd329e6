package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"penstock/cdc/slot"
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
	cmd.Flags().StringVar(&s.dsn, "dsn", "", "connection string, instead of source.dsn of the configuration")
	cmd.Flags().DurationVar(&s.timeout, "timeout", 30*time.Second, "how long Postgres may take")
}

// withSource connects to the source database, and runs do within the timeout.
func (a *app) withSource(ctx context.Context, from *sourceFlags, do func(context.Context, *pgx.Conn) error) error {
	dsn := from.dsn
	if dsn == "" {
		cfg, err := a.loadConfig(from.path, from.set)
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
	if err != nil {
		return nil, &fault.Error{Kind: fault.Unreachable, Where: fmt.Sprintf("postgres at %s:%d", cfg.Host, cfg.Port), What: "no connection", Err: err}
	}
	return conn, nil
}

func (a *app) slotCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "slot",
		Short: "List, create and drop replication slots",
		Long: `A replication slot makes Postgres keep its write-ahead log until the slot's
reader has confirmed it. A slot that nobody reads fills the disk.`,
		Example: `  penstock slot list --dsn "$PG_DSN"
  penstock slot drop engagement_old --yes`,
	}
	cmd.AddCommand(a.slotListCommand(), a.slotCreateCommand(), a.slotDropCommand())
	return group(cmd)
}

func (a *app) slotListCommand() *cobra.Command {
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show all slots of the server and what they hold back",
		Long: `RETAINED is the log from the slot's restart LSN to its end, BEHIND from its
confirmed LSN, SAFE LEFT how much may yet be written before the slot is lost.`,
		Example: "  penstock slot list\n  penstock slot list --dsn \"$PG_DSN\" -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSource(cmd.Context(), &from, func(ctx context.Context, conn *pgx.Conn) error {
				list, err := slot.List(ctx, conn)
				if err != nil {
					return err
				}
				if a.output.value == "json" {
					return writeJSON(a.stdout, append([]slot.Status{}, list...))
				}
				_, err = io.WriteString(a.stdout, slotTable(list, time.Now()))
				return err
			})
		},
	}
	from.register(cmd)
	return cmd
}

// slotTable lays slots out as a list.
func slotTable(list []slot.Status, now time.Time) string {
	if len(list) == 0 {
		return "no replication slots\n"
	}
	t := table{header: []string{"SLOT", "DATABASE", "ACTIVE", "WAL", "RETAINED", "SAFE LEFT", "BEHIND", "IDLE", "NOTE"}}
	for _, s := range list {
		active, idle, safe := "–", "–", "unbounded"
		if s.Active {
			active = fmt.Sprintf("pid %d", s.PID)
		} else if !s.InactiveSince.IsZero() {
			idle = now.Sub(s.InactiveSince).Truncate(time.Second).String()
		}
		if s.SafeBytes != nil {
			safe = formatBytes(*s.SafeBytes)
		} else if s.WALStatus == slot.WALLost {
			safe = "–"
		}
		t.add(s.Name, orDash(s.Database), active, orDash(string(s.WALStatus)), formatBytes(s.RetainedBytes), safe, formatBytes(s.BehindBytes), idle, slotNote(&s))
	}
	return t.plain()
}

func slotNote(s *slot.Status) string {
	switch {
	case s.InvalidationReason != "":
		return "✗ invalidated: " + s.InvalidationReason
	case s.WALStatus == slot.WALLost:
		return "✗ lost: the log it needs is gone"
	case s.WALStatus == slot.WALUnreserved:
		return "✗ about to be lost at the next checkpoint"
	case !s.Active && s.Plugin == slot.Plugin:
		return "nobody reads it"
	}
	return ""
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// formatBytes prints a size in the largest unit that keeps three digits or fewer.
func formatBytes(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if size < 1000 && size > -1000 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, unit)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

func (a *app) slotCreateCommand() *cobra.Command {
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a logical slot for the pgoutput plugin",
		Long: `Create a slot in the database of the connection. It keeps the log from now on:
start a capture on it soon, or drop it.`,
		Example: "  penstock slot create engagement --dsn \"$PG_DSN\"",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSource(cmd.Context(), &from, func(ctx context.Context, conn *pgx.Conn) error {
				lsn, err := slot.Create(ctx, conn, args[0])
				if err != nil {
					return err
				}
				if a.output.value == "json" {
					return writeJSON(a.stdout, map[string]any{"name": args[0], "created": true, "lsn": lsn})
				}
				_, err = fmt.Fprintf(a.stdout, "slot %s created at %s\n", args[0], lsn)
				return err
			})
		},
	}
	from.register(cmd)
	return cmd
}

func (a *app) slotDropCommand() *cobra.Command {
	var from sourceFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a slot that nobody reads",
		Long: `Drop a slot. What its reader has not confirmed can then no longer be read. An
active slot is refused; the slot's name has to be typed, or --yes given.`,
		Example: "  penstock slot drop engagement_old --dsn \"$PG_DSN\" --yes",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSource(cmd.Context(), &from, func(ctx context.Context, conn *pgx.Conn) error {
				return a.dropSlot(ctx, conn, args[0], yes)
			})
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// dropSlot drops a slot once its name was typed. It refuses what cannot be
// dropped before it asks.
func (a *app) dropSlot(ctx context.Context, conn *pgx.Conn, name string, yes bool) error {
	status, found, err := slot.Find(ctx, conn, name)
	if err != nil {
		return err
	}
	if found && !status.Active && !yes {
		if err := a.confirm(name, fmt.Sprintf("slot %s holds %s of log that its reader has not confirmed", name, formatBytes(status.BehindBytes))); err != nil {
			return err
		}
	}
	if err := slot.Drop(ctx, conn, name); err != nil {
		return err
	}
	if a.output.value == "json" {
		return writeJSON(a.stdout, map[string]any{"name": name, "dropped": true})
	}
	_, err = fmt.Fprintf(a.stdout, "slot %s dropped\n", name)
	return err
}

// confirm asks for a name to be typed. Anything else is a refusal.
func (a *app) confirm(name, warning string) error {
	refused := &fault.Error{Kind: fault.Refused, What: "not confirmed: nothing was dropped", Fix: "type the slot's name, or give --yes"}
	if !isTerminal(a.stdin) {
		refused.What = "not confirmed, and standard input is not a terminal to ask on: nothing was dropped"
	}
	_, _ = fmt.Fprintf(a.stderr, "%s\ntype its name to drop it: ", warning)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if strings.TrimSpace(line) == name {
		return nil
	}
	if err != nil {
		_, _ = fmt.Fprintln(a.stderr)
	}
	return refused
}
