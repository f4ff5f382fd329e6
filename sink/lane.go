package sink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// laneFetch bounds what a lane fetches at once, in bytes as they are compressed: there may be many.
const laneFetch = 1 << 20

// forever is for a store that others do not wait for.
const forever = time.Duration(math.MaxInt64)

// lane brings one store of a partition up to the partition's owner, while that goes
// on without it: it reads the partition again from the first offset that is not
// durable there, through an owner of its own that has this store alone.
//
// Its store lags and the one that the join reads may be ahead of it, or be the
// store that lags. Both end where one owner of all stores would have:
//
//   - Another store lags: a lookup row that is read may be one that the lane meets only later. Then the rows that
//     it is joined with have versions below that row's, and the history, which is as far as the owner, has them at
//     the version of the change that wrote them last: a row at that of a lookup row is written again when the lane comes
//     to it ([follows]); any other row, and what is deleted or moved, when the lane comes to its own change.
//   - The store that is read lags: the lane reads what it has itself written. The
//     owner goes on only as long as it need not read ([owner.sees]). Totals, which are made of what is
//     read, are the lane's to write, into every store.
//   - A truncation finds by the history what it has to remove from the other stores,
//     and then removes the history: so it is for all stores at once ([owner.whole]).
type lane struct {
	sink      *Sink
	store     *guarded
	partition int32
	owner     *owner // the lane's goroutine's, until it has ended

	target atomic.Int64  // the offset up to which it may go: what the partition's owner has behind it
	raised chan struct{} // capacity 1: target is higher
	moved  chan struct{} // capacity 1: at or err is another
	cancel context.CancelFunc
	ended  chan struct{} // closed when its goroutine has ended; nil before it has begun

	mu  sync.Mutex
	at  Progress // guarded by mu: everything below its offset is durable in the store
	err error    // guarded by mu: what ended it, if it was not canceled
}

func newLane(s *Sink, store *guarded, at Progress) *lane {
	l := &lane{
		sink: s, store: store, partition: at.Partition, at: at,
		raised: make(chan struct{}, 1), moved: make(chan struct{}, 1),
	}
	l.target.Store(at.Offset)
	return l
}

// start begins to work, as soon as one of the places is free.
func (l *lane) start(ctx context.Context, c *consumer) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		select {
		case c.lanes <- struct{}{}:
			defer func() { <-c.lanes }()
		case <-ctx.Done():
			return
		}
		if err := l.run(ctx, c); err != nil && ctx.Err() == nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			signal(l.moved)
		}
	}()
}

// stop ends the lane and waits for it. What it was writing may have taken effect.
func (l *lane) stop() {
	if l.ended != nil {
		l.cancel()
		<-l.ended
	}
}

// raise lets the lane go on to an offset.
func (l *lane) raise(target int64) {
	l.target.Store(target)
	signal(l.raised)
}

// position returns what is durable in the store, and what ended the lane.
func (l *lane) position() (Progress, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.err
}

func (l *lane) set(at Progress) {
	l.mu.Lock()
	l.at = at
	l.mu.Unlock()
	signal(l.moved)
}

// signal wakes who waits for a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *lane) run(ctx context.Context, c *consumer) error {
	at, _ := l.position()
	waiting, err := l.sink.waitingAt(ctx, l.partition, at.Offset)
	if err != nil {
		return err
	}
	l.owner = c.newOwner(l.partition, at.Offset, waiting)
	defer l.owner.end()
	l.owner.stores, l.owner.last, l.owner.patience = []Store{l.store}, at, Patience{Wait: forever}
	if l.store.reads {
		l.owner.counted = l.sink.stores
	} else {
		l.owner.mode = follows
	}
	client, err := l.reader(at.Offset)
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for {
		n, err := l.allowed(ctx, records)
		if err != nil {
			return err
		}
		if n == 0 {
			if records, err = l.poll(ctx, client); err != nil {
				return err
			}
			continue
		}
		if err := l.sink.catchUp(ctx); err != nil {
			return err
		}
		progress, err := l.sink.carryPartition(ctx, l.owner, records[:n])
		if progress.Offset > 0 {
			l.set(progress)
		}
		if err != nil {
			return err
		}
		records = records[n:]
	}
}

// allowed waits until the lane may go on, and returns how many of the records lie below its
// target; 0 says that none is left.
func (l *lane) allowed(ctx context.Context, records []*kgo.Record) (n int, err error) {
	for {
		target := l.target.Load()
		for n < len(records) && records[n].Offset < target {
			n++
		}
		switch {
		case n > 0, len(records) == 0 && l.owner.next < target:
			return n, nil
		case len(records) > 0 && l.owner.next < target: // nothing is left between, as in a topic that is compacted
			l.owner.advance(l.owner.last.at(target))
			l.set(l.owner.last)
		}
		select {
		case <-l.raised:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// reader reads the partition without the group: offsets are committed by its owner.
func (l *lane) reader(from int64) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(l.sink.cfg.Brokers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.sink.cfg.Topic: {l.partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(laneFetch),
	}, l.sink.cfg.Client...)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "client options are not usable", Err: err}
	}
	return client, nil
}

// poll returns the next records.
func (l *lane) poll(ctx context.Context, client *kgo.Client) (records []*kgo.Record, err error) {
	err = l.sink.patience().Do(ctx, l.sink.kafka(), func(ctx context.Context) error {
		fetches := client.PollRecords(ctx, l.sink.cfg.Batch)
		records = fetches.Records()
		for _, e := range fetches.Errors() {
			if err := l.fault(e); len(records) == 0 || fault.KindOf(err) != fault.Unreachable {
				return err
			}
		}
		return ctx.Err()
	})
	return records, err
}

func (l *lane) fault(e kgo.FetchError) error {
	var lost *kgo.ErrDataLoss
	if !errors.As(e.Err, &lost) && !errors.Is(e.Err, kerr.OffsetOutOfRange) {
		return l.sink.kafkaFault("poll", e.Err)
	}
	at, _ := l.position()
	f := &fault.Error{
		Kind: fault.PositionLost, Where: fmt.Sprintf("pipeline %s: topic %s partition %d", l.sink.cfg.Pipeline, l.sink.cfg.Topic, l.partition), Err: e.Err,
		What: fmt.Sprintf("the topic no longer holds offset %d, from which on %s lacks changes", at.Offset, l.store.Name()),
		Why:  "they came while it did not answer, and the topic did not keep them for so long",
	}
	reset := fmt.Sprintf("kafka-consumer-groups.sh --group %s --topic %s:%d --reset-offsets --execute", l.sink.cfg.Group, l.sink.cfg.Topic, l.partition)
	if l.store.reads {
		f.Fix = fmt.Sprintf("backfill the tables, then %s --to-earliest", reset)
	} else {
		f.Fix = fmt.Sprintf("penstock replay %s --store %s --from cassandra, then %s --to-offset %d", l.sink.cfg.Pipeline, l.store.Name(), reset, l.target.Load())
	}
	return f
}
