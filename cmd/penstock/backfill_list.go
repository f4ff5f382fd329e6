package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/internal/config"
	"penstock/schema"
)

func (a *app) backfillListCommand() *cobra.Command {
	var from configFlags
	var watch bool
	cmd := &cobra.Command{
		Use:     "list [TABLE…]",
		Aliases: []string{"status"},
		Short:   "Show the last backfill of each table",
		Long: `Show how far the last backfill of each table has come, as it stands in Kafka.
ROWS are delivered, OVERTAKEN those that the stream had changed before they
could be, DELETED those of Kafka that the table has not any more, which only a
backfill with --deleted and penstock recover look for. With --watch, what runs is
shown until it has ended: as bars on a terminal, else as a line a second for each
table, with -o jsonl on standard output; the exit code is 1 then if one has failed.`,
		Example: "  penstock backfill list\n  penstock backfill list public.content --watch",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadConfig(from.path, from.set, config.RoleOperator)
			if err != nil {
				return err
			}
			tables, err := pickTables(cfg, args)
			if err != nil {
				return err
			}
			if watch {
				return a.watchJobs(cmd.Context(), cfg, tables)
			}
			jobs, err := pickJobs(cmd.Context(), cfg, tables)
			return a.showJobs(cfg, jobs, err)
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "look again and again until all have ended")
	return cmd
}

// pickJobs are the jobs of the tables, or all, by name.
func pickJobs(ctx context.Context, cfg *config.Config, tables []schema.TableName) (jobs []*backfill.Job, err error) {
	all, _, err := cdc.Jobs(ctx, jobsOf(cfg))
	if err != nil {
		return nil, err
	}
	for _, table := range slices.SortedFunc(maps.Keys(all), schema.TableName.Compare) {
		if len(tables) == 0 || slices.Contains(tables, table) {
			jobs = append(jobs, all[table])
		}
	}
	return jobs, nil
}

// jobView is what is shown of a job.
type jobView struct {
	backfill.Scope

	Table     string    `json:"table"`
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Share     float64   `json:"share"`
	Rows      int64     `json:"rows"`
	Chunks    int64     `json:"chunks"`
	ChunksAll int64     `json:"chunks_total"`
	Overtaken int64     `json:"overtaken"`
	Deleted   int64     `json:"deleted"`
	Estimate  *int64    `json:"estimate"` // rows; null: the server has no statistics
	Begun     time.Time `json:"begun"`
	Seconds   float64   `json:"seconds"`
	Rate      float64   `json:"rows_per_second"`
	Left      *float64  `json:"seconds_left"` // null: not known
	Why       string    `json:"why,omitempty"`
	Fix       string    `json:"fix,omitempty"`
}

func viewJob(j *backfill.Job, cfg *config.Backfill, now time.Time) jobView {
	p := j.Progress(int64(j.Pace(uint32(cfg.ChunkBlocks), cfg.RowsPerSecond)))
	v := jobView{
		Scope: j.Scope, Chunks: p.Chunks, ChunksAll: p.ChunksAll,
		Table: config.FormatTable(j.Table), ID: j.ID, State: string(p.State), Share: p.Share, Rows: p.Rows, Overtaken: j.Dropped, Deleted: j.Deleted,
		Begun: p.Begun, Seconds: p.Seconds(now), Why: j.Why, Fix: j.Fix,
	}
	if j.Estimate >= 0 {
		v.Estimate = &j.Estimate
	}
	if v.Seconds > 0 {
		v.Rate = float64(v.Rows) / v.Seconds
	}
	if left, known := p.Left(now); known {
		v.Left = &left
	}
	return v
}

func (a *app) showJobs(cfg *config.Config, jobs []*backfill.Job, err error) error {
	if err != nil {
		return err
	}
	now := time.Now()
	views := make([]jobView, len(jobs))
	for i, j := range jobs {
		views[i] = viewJob(j, &cfg.Backfill, now)
	}
	if a.data() {
		return a.writeData(views)
	}
	_, err = io.WriteString(a.stdout, jobTable(views))
	return err
}

func jobTable(views []jobView) string {
	if len(views) == 0 {
		return "no backfills\n"
	}
	t := table{header: []string{"TABLE", "STATE", "DONE", "ROWS", "CHUNKS", "OVERTAKEN", "DELETED", "RATE", "TIME", "LEFT", "ERROR"}}
	for i := range views {
		v := &views[i]
		left, wrong := "–", v.Why
		if v.Left != nil {
			left = seconds(*v.Left)
		}
		if v.Fix != "" {
			wrong += " (fix: " + v.Fix + ")"
		}
		t.add(printable(v.Table), v.State, fmt.Sprintf("%.0f%%", math100(v.Share)),
			grouped(v.Rows), fmt.Sprintf("%d/%d", v.Chunks, v.ChunksAll), grouped(v.Overtaken), grouped(v.Deleted),
			grouped(int64(v.Rate))+"/s", seconds(v.Seconds), left, printable(wrong))
	}
	return t.plain()
}

// math100 is a share in percent, 100 only for all of it.
func math100(share float64) float64 {
	if share < 1 {
		return min(100*share, 99)
	}
	return 100
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
