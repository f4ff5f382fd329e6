package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"penstock/cdc"
	"penstock/internal/admin"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink"
)

// memoryLimit is where the collector begins to work harder, in bytes: what lives is
// less, and without it the heap grows to twice that before it is collected. It bounds nothing else.
const memoryLimit = 192 << 20

func (a *app) runCommand() *cobra.Command {
	var from configFlags
	var accept string
	var word operatorWord
	only := choices{allowed: roleNames()}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: capture and sink",
		Long: `Capture the configured tables into Kafka and carry the pipelines into the
stores, until SIGINT or SIGTERM ends it gracefully with exit code 0. Slot,
publication, topics, keyspace and tables that do not exist are created. A server
that does not answer is waited for as long as the key "wait" says; while another
daemon captures from the slot, this one stands by.

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
			var err error
			if word.accept, err = parseAccept(accept); err != nil {
				return err
			}
			roles := roles(only.values)
			if err := captureFlags(cmd, roles); err != nil {
				return err
			}
			cfg, err := a.loadConfig(from.path, from.set, roles...)
			if err != nil {
				return err
			}
			log := newLogger(a.stderr, cfg.Log.Level, cfg.Log.Format)
			if os.Getenv("GOMEMLIMIT") == "" {
				debug.SetMemoryLimit(memoryLimit)
			}
			return newDaemon(cfg, roles, word, log).run(cmd.Context())
		},
	}
	from.register(cmd)
	cmd.Flags().Var(&only, "only", "run some of the roles on this machine")
	cmd.Flags().StringVar(&accept, "accept", "", "go on in spite of this refusal, as `state@LSN`")
	cmd.Flags().BoolVar(&word.noStandby, "no-standby", false, "end with exit code 5 when another daemon holds the slot for longer than the key \"wait\" says")
	cmd.Flags().BoolVar(&word.takeover, "takeover", false, "end the walsender of whoever holds the slot at the start")
	return cmd
}

// captureFlags refuses flags that only the capture heeds where none runs.
func captureFlags(cmd *cobra.Command, roles []config.Role) error {
	if slices.Contains(roles, config.RoleCapture) {
		return nil
	}
	for _, name := range []string{"accept", "no-standby", "takeover"} {
		if cmd.Flags().Changed(name) {
			return &fault.Error{
				Kind: fault.Usage, What: fmt.Sprintf("--%s is a word to the capture, which --only leaves out", name), Fix: "give it to the daemon that runs the capture",
			}
		}
	}
	return nil
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

// operatorWord is what only an operator can decide, and only for one start.
type operatorWord struct {
	accept    cdc.Accept
	noStandby bool
	takeover  bool
}

// parseAccept reads the word as a refusal has named it.
func parseAccept(text string) (cdc.Accept, error) {
	if text == "" {
		return cdc.Accept{}, nil
	}
	bad := &fault.Error{
		Kind: fault.Usage, What: fmt.Sprintf("bad value %q for flag --accept", text),
		Fix: "give the word that penstock run named when it refused, such as gap_detected@16/B374D848",
	}
	state, at, _ := strings.Cut(text, "@")
	accept := cdc.Accept{State: fault.State(state)}
	if !slices.Contains([]fault.State{fault.GapDetected, fault.Diverged, fault.ShapeChanged}, accept.State) {
		bad.Why = fmt.Sprintf("%s, %s and %s can be accepted; a lost slot has to be dropped and created",
			fault.GapDetected, fault.Diverged, fault.ShapeChanged)
		return cdc.Accept{}, bad
	}
	if accept.LSN, bad.Err = schema.ParseLSN(at); bad.Err != nil {
		return cdc.Accept{}, bad
	}
	return accept, nil
}

// daemon is a capture and a sink for each pipeline in one process, or some of them.
type daemon struct {
	cfg      *config.Config
	roles    []config.Role
	word     operatorWord
	observed *admin.Daemon // what is said of it
	log      *zap.Logger
}

func newDaemon(cfg *config.Config, roles []config.Role, word operatorWord, log *zap.Logger) *daemon {
	return &daemon{cfg: cfg, roles: roles, word: word, observed: observe(cfg, roles), log: log}
}

// run works until ctx ends, which is no error, or until one part fails, which
// ends the others.
func (d *daemon) run(ctx context.Context) error {
	d.log.Info("penstock starts", zap.String("version", readBuildInfo().Version), zap.Any("roles", d.roles))
	var capture *cdc.Capture
	if slices.Contains(d.roles, config.RoleCapture) {
		c, err := captureConfig(d.cfg, d.word)
		if err != nil {
			return err
		}
		if capture, err = cdc.New(c, d.log.Named("capture")); err != nil {
			return err
		}
		d.observed.Captures(capture.Stats)
	}
	parts, ctx := errgroup.WithContext(ctx)
	if err := d.listen(ctx, parts); err != nil {
		return err
	}
	if capture != nil {
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

// sink opens the stores of every pipeline, one after the other, so that no table is
// made by two at once and nothing is written while another's is not as it should be;
// then it runs all of them.
func (d *daemon) sink(ctx context.Context) error {
	log := d.log.Named("sink")
	pipelines, ctx := errgroup.WithContext(ctx)
	var runs []func() error
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Pipelines)) {
		s, err := openStores(ctx, d.cfg, planOf(d.cfg, name), log)
		if err != nil {
			if ctx.Err() != nil {
				return nil // being told to stop is not a fault
			}
			return err
		}
		defer s.close()
		pipeline, err := sink.New(sinkConfig(d.cfg, name), s.cassandra, []sink.Store{s.cassandra, s.redis}, log)
		if err != nil {
			return err
		}
		d.observed.Carries(name, pipeline.Stats)
		runs = append(runs, func() error { return pipeline.Run(ctx) })
	}
	for _, run := range runs {
		pipelines.Go(run)
	}
	return pipelines.Wait()
}
