package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"penstock/cdc/slot"
)

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

func (a *app) slotCreateCommand() *cobra.Command {
	var from sourceFlags
	var opts slot.Options
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a logical slot for the pgoutput plugin",
		Long: `Create a slot in the database of the connection. It keeps the log from now on:
start a capture on it soon, or drop it.`,
		Example: "  penstock slot create engagement --dsn \"$PG_DSN\"\n  penstock slot create engagement --failover",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSource(cmd.Context(), &from, func(ctx context.Context, conn *pgx.Conn) error {
				lsn, err := slot.Create(ctx, conn, args[0], opts)
				if err != nil {
					return err
				}
				if a.data() {
					return a.writeData(map[string]any{"name": args[0], "created": true, "lsn": lsn})
				}
				_, err = fmt.Fprintf(a.stdout, "slot %s created at %s\n", args[0], lsn)
				return err
			})
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&opts.Failover, "failover", false, "have standbys keep the slot in step, so that it outlives a failover (Postgres 17)")
	return cmd
}
