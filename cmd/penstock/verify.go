package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/verify"
)

// verifyFlags say what of a comparison is wanted.
type verifyFlags struct {
	configFlags
	repair  bool
	timeout time.Duration
	most    int
}

func (a *app) verifyCommand() *cobra.Command {
	var from verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [pipeline]...",
		Short: "Compare Kafka, Cassandra and Redis with Postgres, row by row",
		Long: `Hold every row that the pipelines keep in Kafka, Cassandra and Redis against
Postgres as it is, and print what differs with both values. All pipelines of the
configuration are compared, or those that are named.

Writes may go on meanwhile. Postgres is read at one moment; the stores are waited
for until they have come at least that far, and what differs is looked at again,
each time at a new moment: a difference counts once it stands still.

With --repair, rows that are missing or differ are updated in Postgres to what
they are, so that they come the way of every change; rows that should not be in
a store are deleted there. Then they are compared once more. What would be
repaired is what verify prints without it.

Exit codes: 0 all is equal, or was repaired; 4 something differs.`,
		Example: "  penstock verify\n  penstock verify orders -c /etc/penstock.yaml -o json\n  penstock verify --repair",
		RunE:    func(cmd *cobra.Command, names []string) error { return a.verify(cmd.Context(), &from, names) },
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&from.repair, "repair", false, "send what differs again, and delete what should not be there")
	cmd.Flags().DurationVar(&from.timeout, "timeout", 0, "how long the capture or the sink may take to come any nearer (default the key \"wait\")")
	cmd.Flags().IntVar(&from.most, "max", 100, "differences to print of each pipeline; the others are counted")
	return cmd
}

func (a *app) verify(ctx context.Context, from *verifyFlags, names []string) error {
	cfg, err := a.loadConfig(from.path, from.set, config.Roles()...)
	if err != nil {
		return err
	}
	all, err := pickPipelines(cfg, names)
	if err != nil {
		return err
	}
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	if from.timeout < 0 || from.most < 0 {
		return &fault.Error{Kind: fault.Usage, What: "--timeout and --max must not be negative"}
	}
	var left, differences, byHand int64
	for _, name := range all {
		report, err := a.verifyOne(ctx, cfg, from, name)
		if err != nil {
			return err
		}
		left, differences = left+report.Left, differences+report.Differences
		byHand += report.ByHand
	}
	if left == 0 {
		return nil
	}
	f := &fault.Error{Kind: fault.Check, What: fmt.Sprintf("%d differences", left), Fix: repairFix(left, byHand)}
	if from.repair {
		f.What, f.Fix = fmt.Sprintf("%d of %d differences are left", left, differences), "each of them says why"
	}
	if a.data() {
		return told{f}
	}
	return f
}

// repairFix says what mends differences, some of which no repair does.
func repairFix(left, byHand int64) string {
	switch byHand {
	case 0:
		return "penstock verify --repair sends these rows again"
	case left:
		return "no repair mends them: each says what is to be done"
	}
	return fmt.Sprintf("penstock verify --repair sends %d of these rows again; the others say what is to be done", left-byHand)
}

// verifyOne compares one pipeline, and prints what it finds as it does.
func (a *app) verifyOne(ctx context.Context, cfg *config.Config, from *verifyFlags, name string) (*verify.Report, error) {
	log := newLogger(a.stderr, "warn", cfg.Log.Format)
	tables := cassandraConfig(cfg, planOf(cfg, name))
	tables.Existing = true
	s, err := openStoresAs(ctx, cfg, tables, log)
	if err != nil {
		return nil, err
	}
	defer s.close()
	p := cfg.Pipelines[name]
	out := newVerifyOutput(a, name, from)
	v := verify.Config{
		Pipeline: name, Plan: tables.Plan, DSN: cfg.Source.DSN.Reveal(), Capture: cfg.Source.Name,
		Brokers: cfg.Kafka.Brokers, PositionTopic: cfg.Kafka.PositionTopic, Topic: p.Topic, Group: p.Group,
		Cassandra: s.cassandra, Redis: s.redis, Wait: cfg.Wait, Repair: from.repair,
		OnDifference: out.difference, Progress: &out.progress,
	}
	if cfg.Kafka.DeadLetterTopic != "" {
		v.Letters = sink.NewLetterbox(sink.LetterboxConfig{Brokers: cfg.Kafka.Brokers, Topic: cfg.Kafka.DeadLetterTopic})
	}
	if from.timeout > 0 {
		v.Wait = from.timeout
	}
	stop := out.watch(ctx)
	report, err := verify.Run(ctx, v)
	stop()
	if err != nil {
		log.Debug("verify failed", zap.Error(err))
		return nil, errors.Join(err, out.failed)
	}
	return report, out.done(report)
}
