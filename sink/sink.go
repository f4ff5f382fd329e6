package sink

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"penstock/internal/fault"
)

// Sink carries one pipeline's input topic into its stores. Any number of sinks,
// in one process or many, share the work through their consumer group.
type Sink struct {
	cfg    Config
	lookup Lookup
	stores []Store
	log    *zap.Logger

	pace   *rate.Limiter // of rows that are joined again
	memory memory
	meter  meter

	letters *Letterbox // nil when there is no topic of dead letters, and so is
	filed   *reading   // what it holds
	swept   time.Time  // when decided letters were removed last; of the goroutine of Run

	partitions int // of the input topic; set by begin
}

// New checks the configuration and does no I/O. lookup must read what the first
// of the stores writes; log may be nil. The error is a fault of kind Usage.
func New(cfg Config, lookup Lookup, stores []Store, log *zap.Logger) (*Sink, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if lookup == nil || len(stores) == 0 {
		return nil, &fault.Error{Kind: fault.Usage, Where: "sink configuration", What: "needs a lookup and at least one store"}
	}
	if log == nil {
		log = zap.NewNop()
	}
	log = log.With(zap.String(keyPipeline, cfg.Pipeline), zap.String(keyTopic, cfg.Topic))
	s := &Sink{cfg: cfg, log: log, letters: cfg.letterbox(), pace: rate.NewLimiter(rate.Limit(cfg.RejoinRate), cfg.RejoinRate+maxPage)}
	s.memory.lookups, s.memory.totals = cfg.CacheBytes, cfg.TotalsBytes
	s.lookup, s.stores = guard(&cfg, lookup, stores, log)
	if s.letters != nil {
		s.filed = newReading(s.letters)
	}
	return s, nil
}

// Run works until ctx ends, then commits what is durable, leaves the group and
// returns nil. It waits for servers and for the input topic up to Config.Wait.
//
// Every record is in all stores, or in a dead letter on all of Kafka's replicas,
// before its offset is committed. With [Stop], a record that cannot be applied
// ends Run with a fault that names its coordinates; the records before it in its
// partition are committed.
//
// Errors are faults: Unreachable for a server that did not answer in time,
// Usage for refused credentials, PositionLost when the topic no longer holds the
// committed offset or, without one, its first record, Refused when partitions were
// added to it since the group began, Runtime for a record. Run must not be called concurrently.
func (s *Sink) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // being told to stop is not a fault
	}
	return err
}

func (s *Sink) run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if s.cfg.OnError == DeadLetter {
		ensure := func(ctx context.Context) error { return s.letters.ensure(ctx, s.cfg.Topic, s.cfg.ReplicationFactor) }
		if err := s.patience().Do(ctx, s.kafka(), ensure); err != nil {
			return err
		}
	}
	c, err := s.join()
	if err != nil {
		return err
	}
	defer c.leave()
	for ctx.Err() == nil {
		if err := s.step(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) patience() Patience { return Patience{Wait: s.cfg.Wait, Log: s.log} }
