package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"penstock/cdc/slot"
	"penstock/internal/fault"
)

func (a *app) slotDropCommand() *cobra.Command {
	var from sourceFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a slot that nobody reads",
		Long: `Drop a slot. What its reader has not confirmed can then no longer be read. An
active slot is refused; the slot's name has to be typed, or --yes given where
there is no terminal.`,
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
		warning := fmt.Sprintf("slot %s holds %s of log that its reader has not confirmed", name, formatBytes(status.BehindBytes))
		if err := a.confirm("drop it", name, warning); err != nil {
			return err
		}
	}
	if err := slot.Drop(ctx, conn, name); err != nil {
		return err
	}
	if a.data() {
		return a.writeData(map[string]any{"name": name, "dropped": true})
	}
	_, err = fmt.Fprintf(a.stdout, "slot %s dropped\n", name)
	return err
}

// confirm asks for a word to be typed, such as the name of what is dropped. Anything else is a refusal.
func (a *app) confirm(to, word, warning string) error {
	if !a.interactive {
		return &fault.Error{
			Kind: fault.Refused, What: "not confirmed, and standard input is not a terminal to ask on: did not " + to, Why: warning, Fix: "give --yes",
		}
	}
	_, _ = fmt.Fprintf(a.stderr, "%s\ntype %s to %s: ", warning, word, to)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if strings.TrimSpace(line) == word {
		return nil
	}
	if err != nil {
		_, _ = fmt.Fprintln(a.stderr)
	}
	return &fault.Error{Kind: fault.Refused, What: "not confirmed: did not " + to, Fix: "type " + word + ", or give --yes"}
}
