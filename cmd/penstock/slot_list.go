package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"penstock/cdc/slot"
)

func (a *app) slotListCommand() *cobra.Command {
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show all slots of the server and what they hold back",
		Long: `RETAINED is the log from the slot's restart LSN to its end, BEHIND from its
confirmed LSN, SAFE LEFT how much may yet be written before the slot is lost. A
failover slot is kept in step on standbys; there, and after a promotion, it is
synced.`,
		Example: "  penstock slot list\n  penstock slot list --dsn \"$PG_DSN\" -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSource(cmd.Context(), &from, func(ctx context.Context, conn *pgx.Conn) error {
				list, err := slot.List(ctx, conn)
				if err != nil {
					return err
				}
				if a.data() {
					return a.writeData(append([]slot.Status{}, list...))
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
	}
	var notes []string
	if s.Temporary {
		notes = append(notes, "temporary")
	}
	if s.Failover {
		notes = append(notes, "failover")
	}
	if s.Synced {
		notes = append(notes, "synced")
	}
	if !s.Active && s.Plugin == slot.Plugin {
		notes = append(notes, "nobody reads it")
	}
	return strings.Join(notes, ", ")
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
