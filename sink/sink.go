package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
	"penstock/schema/record"
)

// Sink carries one pipeline's input topic into its stores. Any number of sinks,
// in one process or many, share the work through their consumer group.
type Sink struct {
	cfg    Config
	lookup Lookup
	stores []Store
	log    *zap.Logger
}

// New checks the configuration and does no I/O. lookup must read what one of the
// stores writes; log may be nil. The error is a fault of kind Usage.
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
	return &Sink{cfg: cfg, lookup: lookup, stores: stores, log: log}, nil
}

// Run works until ctx ends, then commits what is durable, leaves the group and
// returns nil. It waits for servers and for the input topic up to Config.Wait.
//
// Every record is in all stores before its offset is committed. A record that
// cannot be applied ends Run with a fault that names its coordinates; the
// records before it in its partition are committed.
//
// Errors are faults: Unreachable for a server that did not answer in time,
// Usage for refused credentials, PositionLost when the topic no longer holds the
// committed offset or, without one, its first record, Runtime for a record. Run must not be called concurrently.
func (s *Sink) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // being told to stop is not a fault
	}
	return err
}

func (s *Sink) run(ctx context.Context) error {
	if err := s.awaitTopic(ctx); err != nil {
		return err
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

// step carries one poll's records into the stores and commits their offsets.
// What became durable is committed even when other partitions failed.
func (s *Sink) step(ctx context.Context, c *consumer) error {
	fetches, err := c.next(ctx)
	if err != nil {
		return err
	}
	defer c.client.AllowRebalance()
	durable, err := s.carry(ctx, c, fetches)
	return errors.Join(err, c.commit(ctx, durable))
}

// carry works on the partitions of one poll in parallel and returns how far each
// has come, with the first failure.
func (s *Sink) carry(ctx context.Context, c *consumer, fetches kgo.Fetches) (durable []Progress, err error) {
	var mu sync.Mutex // guards durable
	var working errgroup.Group
	working.SetLimit(s.cfg.Parallel)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		o := c.owner(p.Partition)
		working.Go(func() error {
			progress, err := s.carryPartition(ctx, o, p.Records)
			if progress.Offset > 0 {
				mu.Lock()
				defer mu.Unlock()
				durable = append(durable, progress)
			}
			return err
		})
	})
	err = working.Wait()
	return durable, err
}

// carryPartition applies the records up to the first that cannot be processed.
// Progress.Offset is 0 when nothing became durable.
func (s *Sink) carryPartition(ctx context.Context, o *owner, records []*kgo.Record) (Progress, error) {
	batch := make([]change, 0, len(records))
	var progress Progress
	var refused error
	for _, r := range records {
		c, next, err := s.decode(r)
		if err != nil {
			refused = err
			break
		}
		batch, progress = append(batch, c), next
	}
	if len(batch) == 0 {
		return Progress{}, refused
	}
	what := fmt.Sprintf("the stores, partition %d", o.partition)
	err := s.patience().Do(ctx, what, func(ctx context.Context) error { return o.apply(ctx, batch) })
	if err != nil {
		return Progress{}, err
	}
	return progress, refused
}

// decode types one record. Its error is the fault that stops the sink.
func (s *Sink) decode(r *kgo.Record) (change, Progress, error) {
	at, err := record.ParseCoordinates(func(key string) ([]byte, bool) { return header(r, key) })
	if err != nil {
		return change{}, Progress{}, s.refuse(r, at, err)
	}
	c, err := decode(s.cfg.Tables, r.Key, r.Value, at.Version)
	if err != nil {
		return change{}, Progress{}, s.refuse(r, at, err)
	}
	progress := Progress{
		Partition: r.Partition, Offset: r.Offset + 1,
		LSN: at.LSN, Version: at.Version, CommitTime: c.commitTime,
	}
	return c, progress, nil
}

func (s *Sink) refuse(r *kgo.Record, at record.Coordinates, cause error) error {
	return &fault.Error{
		Kind: fault.KindOf(cause),
		Where: fmt.Sprintf("pipeline %s: topic %s partition %d offset %d lsn %s",
			s.cfg.Pipeline, r.Topic, r.Partition, r.Offset, at.LSN),
		What: "record cannot be applied to the stores",
		Why:  "going on would leave the stores different from the source",
		Err:  cause,
	}
}

func header(r *kgo.Record, key string) ([]byte, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

func (s *Sink) patience() Patience { return Patience{Wait: s.cfg.Wait, Log: s.log} }
