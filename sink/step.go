package sink

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/schema/deadletter"
)

// step carries one poll's records into the stores and commits their offsets.
// What became durable is committed even when other partitions failed.
func (s *Sink) step(ctx context.Context, c *consumer) error {
	fetches, err := c.next(ctx)
	if err != nil {
		return err
	}
	defer c.client.AllowRebalance()
	if err := c.check(ctx, fetches); err != nil {
		return err
	}
	if err := s.takeOver(ctx, c, fetches); err != nil {
		return err
	}
	s.sweep(ctx, c.owners)
	err = s.carry(ctx, c, c.work(fetches))
	if err == nil {
		err = s.rejoin(ctx, c)
	}
	if err == nil {
		err = c.tend(ctx)
	}
	durable := c.progress(ctx)
	if len(durable) > 0 {
		s.cfg.reach(FailStored)
	}
	if err = errors.Join(err, c.commit(ctx, durable)); err == nil && (len(durable) > 0 || !c.holds()) {
		s.meter.move()
	}
	return err
}

// takeOver makes the owners of the partitions that records come from for the
// first time. They need to know which keys wait there.
func (s *Sink) takeOver(ctx context.Context, c *consumer, fetches kgo.Fetches) error {
	next := make(map[int32]int64)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 && c.owners[p.Partition] == nil {
			next[p.Partition] = p.Records[0].Offset
		}
	})
	if len(next) == 0 {
		return nil
	}
	return s.withBook(ctx, func(book *Book) {
		for partition, offset := range next {
			c.owners[partition] = c.leadOwner(partition, offset, book.waiting(s.cfg.Topic, partition, offset))
		}
	})
}

// carry works on the records of partitions in parallel and returns the first failure.
func (s *Sink) carry(ctx context.Context, c *consumer, work map[int32][]*kgo.Record) error {
	var working errgroup.Group
	working.SetLimit(s.cfg.Parallel)
	for partition, records := range work {
		o := c.owners[partition]
		working.Go(func() error {
			_, err := s.carryPartition(ctx, o, records)
			if errors.Is(err, errHeld) {
				o.hold(records)
				o.heldFor = err
				o.waiting, err = s.waitingAt(ctx, o.partition, o.next) // what lies behind comes again
			}
			return err
		})
	}
	return working.Wait()
}

// rejoin works on the rows that partitions join again, in parallel.
func (s *Sink) rejoin(ctx context.Context, c *consumer) error {
	var working errgroup.Group
	working.SetLimit(s.cfg.Parallel)
	for _, o := range c.owners {
		if len(o.rejoins) > 0 {
			working.Go(func() error { return s.rejoinSome(ctx, o) })
		}
	}
	err := working.Wait()
	for partition, o := range c.owners {
		if o.refuses != nil {
			c.rewind(partition, o)
		}
	}
	return err
}

// carryPartition processes the records up to the first that stops the sink.
// Progress.Offset is 0 when nothing became durable.
func (s *Sink) carryPartition(ctx context.Context, o *owner, records []*kgo.Record) (Progress, error) {
	b := &batch{sink: s, owner: o, next: o.last, held: s.filed.holding(records)}
	for _, r := range records {
		if head, found := header(r, deadletter.HeaderRelease); found && r.Value == nil {
			if err := b.flush(ctx); err != nil {
				return b.done, err
			}
			if err := b.release(ctx, r, string(head)); err != nil {
				return b.done, err
			}
			continue
		}
		if refused := b.take(r); refused != nil {
			// What stands before the record is sound.
			if err := b.flush(ctx); err != nil {
				return b.done, err
			}
			return b.done, refused
		}
	}
	err := b.flush(ctx)
	return b.done, err
}
