package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"penstock/cdc"
	"penstock/internal/config"
	"penstock/internal/fault"
)

func (a *app) recoverCommand() *cobra.Command {
	var from configFlags
	var yes, renew bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Go on after a lost slot or a gap, with what changed and was deleted meanwhile",
		Long: `Set the capture up to go on where penstock run refuses to, because the slot is
lost or gone, or was advanced or made anew by somebody else, or the database is
another than the one that Kafka has the changes of. A slot that is lost is
dropped, after its name was typed or with --yes, and another one created. Every
captured table is then read again by the daemon, which also finds the rows that
Kafka holds and the table has not any more, and delivers their deletes. What
changed in a table that cannot be read again, because it has no key, is not
recovered: such tables are named, and yes has to be typed first, or --yes given.
Start penstock run afterwards.

No daemon may run. What is interrupted is begun again by the same command.`,
		Example: `  penstock recover && penstock run
  penstock recover -c /etc/penstock.yaml --yes
  penstock backfill list --watch        # how far the daemon has come with it`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.loadConfig(from.path, from.set, config.RoleCapture)
			if err != nil {
				return err
			}
			c, err := captureConfig(cfg, operatorWord{})
			if err != nil {
				return err
			}
			capture, err := cdc.New(c, newLogger(a.stderr, cfg.Log.Level, cfg.Log.Format).Named("recover"))
			if err != nil {
				return err
			}
			done, err := capture.Recover(cmd.Context(), renew, func(drop, what string) error {
				switch {
				case yes:
					return nil
				case drop == "":
					return a.confirm("go on", "yes", what)
				}
				return a.confirm("drop it", drop, what)
			})
			if err != nil {
				return err
			}
			return a.showRecovery(&done, c.Slot)
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before a slot is dropped, or tables are left out")
	cmd.Flags().BoolVar(&renew, "new-slot", false, "drop the slot and create another, also if nothing is wrong with it")
	return cmd
}

// recovery is the JSON form of what was set up.
type recovery struct {
	Recovered bool        `json:"recovered"` // false: there was nothing to recover
	State     fault.State `json:"state,omitempty"`
	What      string      `json:"what,omitempty"`
	NewSlot   bool        `json:"new_slot"`
	LSN       string      `json:"lsn"`
	Tables    []string    `json:"tables,omitempty"`
	Unread    []unread    `json:"unread,omitempty"` // what changed in these meanwhile is not recovered
}

type unread struct {
	Table string `json:"table"`
	cdc.Unread
}

func (a *app) showRecovery(done *cdc.Recovery, slot string) error {
	r := recovery{Recovered: done.State != "", State: done.State, What: done.What, NewSlot: done.Created, LSN: done.LSN.String()}
	for _, t := range done.Tables {
		r.Tables = append(r.Tables, config.FormatTable(t))
	}
	var lost strings.Builder
	for _, u := range done.Unread {
		r.Unread = append(r.Unread, unread{config.FormatTable(u.Table), u})
		_, _ = fmt.Fprintf(&lost, "not recovered is what changed in %s: %s (fix: %s)\n", config.FormatTable(u.Table), u.Why, u.Fix)
	}
	if a.data() {
		return a.writeData(r)
	}
	if !r.Recovered {
		_, err := fmt.Fprintf(a.stdout, "nothing to recover: slot %s goes on from the position %s\n", slot, r.LSN)
		return err
	}
	made := ""
	if r.NewSlot {
		made = ", which is new"
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s\nthe capture goes on from %s of slot %s%s\nto be read again, with what was deleted: %s\n%s"+
		"now start penstock run; penstock backfill list shows how far it is\n",
		r.State, r.What, r.LSN, slot, made, cmp.Or(strings.Join(r.Tables, ", "), "nothing"), lost.String())
	return err
}
