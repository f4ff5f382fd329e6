package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
)

func (a *app) backfillCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backfill",
		Short: "Read the rows that a table already has, beside the stream",
		Long: `A backfill delivers the rows that a captured table has, as records with op r,
while its changes are streamed: a row that was changed meanwhile is not
overwritten by what it was. The daemon that captures does the work; these
commands tell it through Kafka what to do, and look at what it has done there.
A daemon that is killed goes on behind the last chunk.`,
		Example: `  penstock backfill start public.content public.engagement_events
  penstock backfill start public.engagement_events --where "event_ts >= '2026-01-01'"
  penstock backfill list --watch`,
	}
	cmd.AddCommand(
		a.backfillStartCommand(), a.backfillListCommand(),
		a.backfillTurnCommand(cdc.DoPause, "Stop reading for now; what is done stays done", backfill.Running),
		a.backfillTurnCommand(cdc.DoResume, "Go on with what was paused", backfill.Paused),
		a.backfillTurnCommand(cdc.DoCancel, "Give up; what is delivered stays delivered", backfill.Running, backfill.Paused),
	)
	return group(cmd)
}

// backfillFlags are those of a command to the capture.
type backfillFlags struct {
	configFlags
	timeout time.Duration
}

func (b *backfillFlags) register(cmd *cobra.Command) {
	b.configFlags.register(cmd)
	cmd.Flags().DurationVar(&b.timeout, "timeout", 30*time.Second, "how long the capture may take to meet the command")
}

func (a *app) backfillStartCommand() *cobra.Command {
	var from backfillFlags
	var scope backfill.Scope
	var watch, deleted bool
	cmd := &cobra.Command{
		Use:   "start TABLE…",
		Short: "Read all rows of tables, or some",
		Long: `Begin a backfill of each table, spelled as in source.tables. The command returns when
the capture has begun; with --watch when it is done. The exit code is 1 if one has
failed by then.

--from and --to are a range of keys: from the first on, up to but without the
second. A key of several columns is given by its values, separated by commas, or
by the first of them. --where is a condition in SQL. Of rows that are read with
some columns only, the others are what they are in an update that left a TOASTed
value alone. With --deleted the rows that Kafka holds and the table has not any
more are deleted first; that is of whole tables.`,
		Example: `  penstock backfill start public.content
  penstock backfill start public.engagement_events --from 1000 --to 2000 --watch
  penstock backfill start public.engagement_events --where "event_ts >= '2026-01-01'"
  penstock backfill start public.users --columns email,phone`,
		Args: someTables,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadConfig(from.path, from.set, config.RoleOperator)
			if err != nil {
				return err
			}
			tables, err := pickTables(cfg, args)
			if err != nil {
				return err
			}
			for flag, values := range map[string][]string{"from": scope.From, "to": scope.To, "columns": scope.Columns} {
				if cmd.Flags().Changed(flag) && len(values) == 0 {
					return &fault.Error{Kind: fault.Usage, What: "flag --" + flag + " is empty", Fix: "give it a value, or leave it out"}
				}
			}
			id := commandID()
			command := cdc.Command{ID: id, Do: cdc.DoStart, Tables: tables, Scope: scope, Sweep: deleted}
			jobs, err := a.command(cmd.Context(), cfg, command, from.timeout, func(table schema.TableName, job *backfill.Job) error {
				if job != nil && !job.State.Final() {
					return &fault.Error{
						Kind: fault.Refused, Where: "table " + config.FormatTable(table), What: fmt.Sprintf("backfill %s of it is %s", job.ID, job.State),
						Fix: "wait for it, or penstock backfill cancel " + config.FormatTable(table),
					}
				}
				return nil
			}, func(job *backfill.Job) bool { return job != nil && job.ID == id })
			if err == nil && watch {
				return a.watchJobs(cmd.Context(), cfg, tables)
			}
			if err := a.showJobs(cfg, jobs, err); err != nil {
				return err
			}
			failed := failedJobs(jobs)
			if failed != nil && a.data() {
				return told{failed}
			}
			return failed
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&scope.Where, "where", "", "read the rows of which this `condition` of SQL is true")
	cmd.Flags().StringSliceVar(&scope.From, "from", nil, "read rows from this `key` on")
	cmd.Flags().StringSliceVar(&scope.To, "to", nil, "read rows below this `key`")
	cmd.Flags().StringSliceVar(&scope.Columns, "columns", nil, "read these columns and those of the key")
	cmd.Flags().BoolVar(&deleted, "deleted", false, "first delete what Kafka holds and the table has not any more")
	cmd.Flags().BoolVar(&watch, "watch", false, "show how far it has come until it is done")
	return cmd
}

// backfillTurnCommand is a command to jobs that are in one of the states.
func (a *app) backfillTurnCommand(do cdc.Do, short string, in ...backfill.State) *cobra.Command {
	var from backfillFlags
	cmd := &cobra.Command{
		Use:     string(do) + " TABLE…",
		Short:   short,
		Example: "  penstock backfill " + string(do) + " public.engagement_events",
		Args:    someTables,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadConfig(from.path, from.set, config.RoleOperator)
			if err != nil {
				return err
			}
			tables, err := pickTables(cfg, args)
			if err != nil {
				return err
			}
			command := cdc.Command{ID: commandID(), Do: do, Tables: tables}
			jobs, err := a.command(cmd.Context(), cfg, command, from.timeout, func(table schema.TableName, job *backfill.Job) error {
				if job != nil && slices.Contains(in, job.State) {
					return nil
				}
				f := &fault.Error{
					Kind: fault.Refused, Where: "table " + config.FormatTable(table), What: "it has no backfill", Fix: "penstock backfill list shows what there is",
				}
				if job != nil {
					f.What = "its backfill is " + string(job.State)
				}
				return f
			}, func(job *backfill.Job) bool { return job != nil && !slices.Contains(in, job.State) })
			return a.showJobs(cfg, jobs, err)
		},
	}
	from.register(cmd)
	return cmd
}

// someTables asks for one table or more.
func someTables(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return &fault.Error{Kind: fault.Usage, What: fmt.Sprintf("%q needs TABLE", cmd.CommandPath()), Fix: cmd.CommandPath() + " public.content"}
	}
	return nil
}

// pickTables reads the names of captured tables, spelled as in source.tables. A name alone may also be that of
// the only captured table of that name, in whichever schema.
func pickTables(cfg *config.Config, names []string) (tables []schema.TableName, err error) {
	if cfg.Source.Name == "" {
		return nil, &fault.Error{Kind: fault.Usage, What: "the configuration names no capture", Fix: "set source.name, or source.slot"}
	}
	for _, name := range names {
		t, err := pickTable(cfg, name)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func pickTable(cfg *config.Config, name string) (schema.TableName, error) {
	t, err := config.ParseTable(name)
	if f, bad := errors.AsType[*fault.Error](err); bad {
		f.Kind = fault.Usage
		return t, f
	}
	if err != nil || slices.Contains(cfg.Source.Tables, t) || cfg.Source.Matches(t) {
		return t, err
	}
	var known, named []string
	for _, c := range cfg.Source.Tables {
		known = append(known, config.FormatTable(c))
		if alone, err := config.ParseTable(config.FormatTable(schema.TableName{Schema: c.Schema}) + name); err == nil && alone == c {
			t, named = c, append(named, config.FormatTable(c))
		}
	}
	if len(named) == 1 {
		return t, nil
	}
	f := &fault.Error{Kind: fault.Usage, What: "table " + name + " is not captured", Fix: "list it in source.tables; captured are " + strings.Join(known, ", ")}
	if near := config.Nearest(name, known); len(named) > 0 {
		f.What, f.Fix = "table "+name+" is one of several", "write "+strings.Join(named, " or ")
	} else if near != "" {
		f.Fix = "did you mean " + near + "?"
	}
	return t, f
}

// command sends a word to the capture, if allowed says nothing against it, and waits until
// met says that each table's job shows it.
func (a *app) command(
	ctx context.Context, cfg *config.Config, c cdc.Command, timeout time.Duration,
	allowed func(schema.TableName, *backfill.Job) error, met func(*backfill.Job) bool,
) (jobs []*backfill.Job, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reader := jobsOf(cfg)
	all, _, err := cdc.Jobs(ctx, reader)
	if err != nil {
		return nil, err
	}
	for _, table := range c.Tables {
		if err := allowed(table, all[table]); err != nil {
			return nil, err
		}
	}
	if err := cdc.Send(ctx, reader, c); err != nil {
		return nil, err
	}
	for {
		var waiting map[string]cdc.Command
		if all, waiting, err = cdc.Jobs(ctx, reader); err == nil {
			at := slices.IndexFunc(c.Tables, func(t schema.TableName) bool { return !met(all[t]) })
			if at < 0 {
				for _, table := range c.Tables {
					jobs = append(jobs, all[table])
				}
				return jobs, nil
			}
			if _, waits := waiting[c.ID]; !waits {
				return nil, &fault.Error{
					Kind: fault.Refused, Where: "table " + config.FormatTable(c.Tables[at]), What: "the command had no effect on it", Why: "another came first",
					Fix: "penstock backfill list shows what its backfill is now",
				}
			}
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return nil, &fault.Error{
				Kind: fault.Unreachable, Where: "capture " + cfg.Source.Name, What: fmt.Sprintf("has not met the command within %s", timeout),
				Why: "no daemon captures, or it is behind: the command is kept, and will be carried out then", Fix: "start penstock run", Err: err,
			}
		}
	}
}

// commandID is one that no other command has.
func commandID() string { return strings.ToLower(rand.Text()[:12]) }

// lookEvery is the pause between two looks at the jobs.
const lookEvery = 250 * time.Millisecond

// jobsOf is what it needs of a configuration to read the jobs.
func jobsOf(cfg *config.Config) cdc.Config {
	return cdc.Config{Name: cfg.Source.Name, Brokers: cfg.Kafka.Brokers, PositionTopic: cfg.Kafka.PositionTopic}
}
