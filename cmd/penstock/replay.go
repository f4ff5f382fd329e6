package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

func (a *app) replayCommand() *cobra.Command {
	var from configFlags
	store := choice{allowed: []string{"redis", "cassandra"}}
	source := choice{allowed: []string{"kafka", "cassandra"}}
	cmd := &cobra.Command{
		Use:   "replay [PIPELINE…]",
		Short: "Fill a store again, from Kafka or from Cassandra",
		Long: `Write into one store again what the pipelines' input topics hold (--from kafka),
or what Cassandra has (--from cassandra). Every row has the version that it had,
so what the store has stays as it is, and a newer row is never overwritten: a
daemon may run meanwhile, and a replay that was interrupted can be repeated.

From Kafka everything that the topics still hold is brought, deletes too.
From Cassandra come all rows that are there now, which is faster and needs no
topic. What Redis has and Cassandra has not is left in Redis: when it was
deleted is not known. Redis is joined with what Cassandra has, so Cassandra has
to be whole.`,
		Example: "  penstock replay --store redis --from cassandra         # Redis was flushed, or lost its tail\n" +
			"  penstock replay engagement_metrics --store redis --from kafka",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case store.value == "" || source.value == "":
				return &fault.Error{
					Kind: fault.Usage, What: fmt.Sprintf("%q needs --store and --from", cmd.CommandPath()), Fix: "penstock replay --store redis --from kafka",
				}
			case store.value == source.value:
				return &fault.Error{Kind: fault.Usage, What: "cassandra cannot be filled from itself", Fix: "penstock replay --store cassandra --from kafka"}
			}
			cfg, err := a.loadConfig(from.path, from.set, config.RoleSink)
			if err != nil {
				return err
			}
			names, err := pickPipelines(cfg, args)
			if err != nil {
				return err
			}
			return a.replay(cmd.Context(), cfg, names, store.value, source.value)
		},
	}
	from.register(cmd)
	cmd.Flags().Var(&store, "store", "what is filled")
	cmd.Flags().Var(&source, "from", "what it is filled from")
	return cmd
}

// replayed is what became of one pipeline.
type replayed struct {
	Pipeline  string  `json:"pipeline"`
	Store     string  `json:"store"`
	From      string  `json:"from"`
	Read      int64   `json:"read"` // records, counted by offsets, or rows
	Written   *int64  `json:"written"`
	Unchanged *int64  `json:"unchanged"` // null: the store does not tell
	Seconds   float64 `json:"seconds"`
}

func (a *app) replay(ctx context.Context, cfg *config.Config, names []string, store, source string) error {
	log := newLogger(a.stderr, cfg.Log.Level, cfg.Log.Format)
	list := []replayed{}
	for _, name := range names {
		done, err := a.replayOne(ctx, cfg, name, store, source, log)
		if err != nil {
			return err
		}
		list = append(list, *done)
	}
	if a.data() {
		return a.writeData(list)
	}
	t := table{header: []string{"PIPELINE", "STORE", "FROM", "READ", "WRITTEN", "UNCHANGED", "TOOK"}}
	for _, r := range list {
		took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond).String()
		t.add(r.Pipeline, r.Store, r.From, strconv.FormatInt(r.Read, 10), countOrDash(r.Written), countOrDash(r.Unchanged), took)
	}
	_, err := io.WriteString(a.stdout, t.plain())
	return err
}

func countOrDash(n *int64) string {
	if n == nil {
		return "–"
	}
	return strconv.FormatInt(*n, 10)
}

func (a *app) replayOne(ctx context.Context, cfg *config.Config, name, store, source string, log *zap.Logger) (*replayed, error) {
	p := planOf(cfg, name)
	s, err := openStores(ctx, cfg, p, log)
	if err != nil {
		return nil, err
	}
	defer s.close()
	begun := time.Now()
	out := &replayed{Pipeline: name, Store: store, From: source}
	line := &progressLine{app: a, what: name + ": " + store + " from " + source, begun: begun}
	report := func(at sink.ReplayProgress) {
		out.Read = at.Done
		line.show(at)
	}
	if source == "cassandra" {
		err = refill(ctx, p, s, cfg.Wait, log, report)
	} else {
		var pipeline *sink.Sink
		if pipeline, err = sink.New(sinkConfig(cfg, name), s.cassandra, []sink.Store{s.cassandra, s.redis}, log); err == nil {
			err = pipeline.Replay(ctx, store, report)
		}
	}
	line.end()
	if err != nil {
		return nil, err
	}
	if store == "redis" {
		written, unchanged := s.redis.Counts()
		out.Written, out.Unchanged = &written, &unchanged
	}
	out.Seconds = time.Since(begun).Seconds()
	return out, nil
}

// refill fills Redis, and waits for servers as the sink does: from the beginning, for
// what was written stays.
func refill(ctx context.Context, p *plan.Plan, s *stores, wait time.Duration, log *zap.Logger, report func(sink.ReplayProgress)) error {
	return sink.Patience{Wait: wait, Log: log}.Do(ctx, "redis to be filled from cassandra", func(ctx context.Context) error {
		if err := sink.Refill(ctx, p, s.cassandra, s.redis, report); err != nil {
			return err
		}
		return s.refillTotals(ctx)
	})
}

// refillTotals writes the totals of Cassandra to Redis, as they are.
func (s *stores) refillTotals(ctx context.Context) error {
	const atOnce = 200
	var some []totals.Value
	err := s.cassandra.EachTotal(ctx, func(v *totals.Value) error {
		if some = append(some, *v); len(some) < atOnce {
			return nil
		}
		err := s.redis.Refill(ctx, some)
		some = some[:0]
		return err
	})
	if err != nil {
		return err
	}
	return s.redis.Refill(ctx, some)
}

// progressLine shows how far something has come: on a terminal one line that is
// written over, else one line every ten seconds.
type progressLine struct {
	app   *app
	what  string
	begun time.Time

	mu    sync.Mutex
	shown time.Time // guarded by mu
	wide  int       // guarded by mu; of the line that stands there
}

func (l *progressLine) show(at sink.ReplayProgress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	every, now := 10*time.Second, time.Now()
	overwrites := isTerminal(l.app.stderr)
	if overwrites {
		every = 250 * time.Millisecond
	}
	if since := max(now.Sub(l.shown), 0); since < every && !l.shown.IsZero() || l.shown.IsZero() && !overwrites && now.Sub(l.begun) < every {
		return
	}
	l.shown = now
	text := fmt.Sprintf("%s: %d", l.what, at.Done)
	if at.Total > 0 {
		text += fmt.Sprintf(" of %d (%d%%)", at.Total, 100*at.Done/at.Total)
	}
	if rate := at.Rate(l.begun, now); rate != "" {
		text += ", " + rate
	}
	if !overwrites {
		_, _ = fmt.Fprintln(l.app.stderr, text)
		return
	}
	_, _ = fmt.Fprintf(l.app.stderr, "\r%-*s", l.wide, text)
	l.wide = visible(text)
}

// end takes the line away.
func (l *progressLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wide > 0 {
		_, _ = fmt.Fprintf(l.app.stderr, "\r%-*s\r", l.wide, "")
	}
}
