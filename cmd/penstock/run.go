package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"penstock/cdc"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink"
)

func (a *app) runCommand() *cobra.Command {
	var from configFlags
	var acceptGap string
	only := choices{allowed: roleNames()}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: capture and sink",
		Long: `Capture the configured tables into Kafka and carry the pipelines into the
stores, until SIGINT or SIGTERM ends it gracefully with exit code 0. Slot,
publication, topics, keyspace and tables that do not exist are created. A server
that does not answer is waited for as long as the key "wait" says.

The smallest useful penstock.yaml:

  source:
    dsn: ${PG_DSN}
    slot: engagement
    publication: engagement
    tables: [public.content, public.engagement_events]
  kafka:
    brokers: [localhost:9092]
  pipelines:
    engagement_metrics: { preset: engagement }
  cassandra: { hosts: [localhost], username: cassandra, password: "${file:/run/secrets/cassandra}" }
  redis: { address: localhost:6379 }`,
		Example: `  penstock run
  penstock run -c /etc/penstock.yaml --only capture
  PENSTOCK_WAIT=5m penstock run --set source.slot=engagement_2`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			gap, err := parseGap(acceptGap)
			if err != nil {
				return err
			}
			roles := roles(only.values)
			cfg, err := a.loadConfig(from.path, from.set, roles...)
			if err != nil {
				return err
			}
			log := newLogger(a.stderr, cfg.Log.Level, cfg.Log.Format)
			return newDaemon(cfg, roles, gap, log).run(cmd.Context())
		},
	}
	from.register(cmd)
	cmd.Flags().Var(&only, "only", "run some of the roles on this machine")
	cmd.Flags().StringVar(&acceptGap, "accept-gap", "", "go on although the changes before this `LSN` are missing")
	return cmd
}

func roleNames() []string {
	var names []string
	for _, role := range config.Roles() {
		names = append(names, string(role))
	}
	return names
}

// roles are the named ones, or all when none is named.
func roles(names []string) []config.Role {
	if len(names) == 0 {
		return config.Roles()
	}
	var list []config.Role
	for _, name := range names {
		list = append(list, config.Role(name))
	}
	return list
}

func parseGap(text string) (schema.LSN, error) {
	if text == "" {
		return 0, nil
	}
	lsn, err := schema.ParseLSN(text)
	if err != nil {
		return 0, &fault.Error{
			Kind: fault.Usage, What: fmt.Sprintf("bad value %q for flag --accept-gap", text), Err: err,
			Fix: "give the LSN that penstock run named when it refused, such as 16/B374D848",
		}
	}
	return lsn, nil
}

// daemon is a capture and a sink for each pipeline in one process, or some of them.
type daemon struct {
	cfg   *config.Config
	roles []config.Role
	gap   schema.LSN
	log   *zap.Logger
}

func newDaemon(cfg *config.Config, roles []config.Role, gap schema.LSN, log *zap.Logger) *daemon {
	return &daemon{cfg: cfg, roles: roles, gap: gap, log: log}
}

// run works until ctx ends, which is no error, or until one part fails, which
// ends the others.
func (d *daemon) run(ctx context.Context) error {
	d.log.Info("penstock starts", zap.String("version", readBuildInfo().Version), zap.Any("roles", d.roles))
	parts, ctx := errgroup.WithContext(ctx)
	if slices.Contains(d.roles, config.RoleCapture) {
		capture, err := cdc.New(captureConfig(d.cfg, d.gap), d.log.Named("capture"))
		if err != nil {
			return err
		}
		parts.Go(func() error { return capture.Run(ctx) })
	}
	if slices.Contains(d.roles, config.RoleSink) {
		parts.Go(func() error { return d.sink(ctx) })
	}
	err := parts.Wait()
	if err == nil {
		d.log.Info("penstock stopped")
	}
	return err
}

// sink opens the stores and runs every pipeline into them.
func (d *daemon) sink(ctx context.Context) error {
	log := d.log.Named("sink")
	s, err := openStores(ctx, d.cfg, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // being told to stop is not a fault
		}
		return err
	}
	defer s.close()
	pipelines, ctx := errgroup.WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Pipelines)) {
		pipeline, err := sink.New(sinkConfig(d.cfg, name), s.cassandra, []sink.Store{s.cassandra, s.redis}, log)
		if err != nil {
			return err
		}
		pipelines.Go(func() error { return pipeline.Run(ctx) })
	}
	return pipelines.Wait()
}
