package sink

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"penstock/internal/fault"
)

const (
	idleCheck     = 10 * time.Second // after so long without records, ask whether Kafka is there
	requestLimit  = 5 * time.Second  // one request to Kafka outside of polling
	rebalanceWait = 5 * time.Minute  // how long a rebalance waits for a batch in work
	leaveLimit    = 3 * time.Second  // for leaving the group, which a rebalance that is under way holds up

	// sessionTimeout is how long the partitions of a member that was killed stay
	// without an owner. Taking them too early does no harm: every write is guarded
	// by its version.
	sessionTimeout = 10 * time.Second

	// What is fetched at once, in bytes as they are compressed: in memory it is many times
	// that, and twice, for the next is fetched while one is worked on.
	fetchBytes, fetchPartitionBytes = 4 << 20, 512 << 10
)

// consumer is one membership in the group. Its callbacks and its users run one
// at a time: kgo holds rebalances back from a poll until AllowRebalance.
type consumer struct {
	sink   *Sink
	client *kgo.Client
	owners map[int32]*owner // the partitions that records came from, by partition
	// leaving keeps the end of the consumer and a rebalance, of which neither is in a
	// step, from the owners at once.
	leaving sync.Mutex
	lanes   chan struct{} // one token for each lane that works

	// refused are lookup rows, by partition and join value, that a rejoin could not carry.
	refused map[int32]map[string]int64
	mu      sync.Mutex
	resumed map[int32]Progress // guarded by mu: what was committed when a partition was assigned

	rejoins bool      // rows are being joined again
	tends   bool      // there are lanes, or records are held: records are not all that is waited for
	seen    time.Time // when Kafka answered last
	moved   time.Time // when a partition or a lane came forward last, or none was held
	counted time.Time // when Kafka was asked last how many partitions there are

	partitioner kgo.TopicPartitioner // as the capture places keys
}

// join creates the client, which joins the group in the background.
func (s *Sink) join() (*consumer, error) {
	c := &consumer{
		sink: s, owners: make(map[int32]*owner), refused: make(map[int32]map[string]int64), resumed: make(map[int32]Progress),
		lanes: make(chan struct{}, s.cfg.Parallel), seen: time.Now(), moved: time.Now(), counted: time.Now(),
		partitioner: kgo.StickyKeyPartitioner(nil).ForTopic(s.cfg.Topic),
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.cfg.Brokers...),
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.ConsumeTopics(s.cfg.Topic),
		// A group without a committed offset needs the topic from its first record:
		// offset 0 and no other, for AtStart is what retention has left.
		kgo.ConsumeStartOffset(kgo.NewOffset().At(0)),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a lost position is a fault, not a jump
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.RebalanceTimeout(rebalanceWait),
		kgo.SessionTimeout(sessionTimeout),
		kgo.OnPartitionsAssigned(c.assigned),
		kgo.OnOffsetsFetched(c.fetched),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { c.dropped("revoked", p) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { c.dropped("lost", p) }),
	}, s.cfg.Client...)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "client options are not usable", Err: err}
	}
	c.client = client
	return c, nil
}

// leave gives the partitions back at once, so that others need not wait. If the group does not answer in time
// it is left to find out: the client goes on closing by itself.
func (c *consumer) leave() {
	c.leaving.Lock()
	for _, o := range c.owners {
		o.end()
	}
	c.leaving.Unlock()
	left := make(chan struct{})
	go func() {
		defer close(left)
		c.client.CloseAllowingRebalance()
	}()
	select {
	case <-left:
	case <-time.After(leaveLimit):
		c.sink.log.Info("the group does not answer: it is left without its word", zap.String(keyGroup, c.sink.cfg.Group))
	}
}

func (c *consumer) assigned(_ context.Context, _ *kgo.Client, p map[string][]int32) {
	if partitions := p[c.sink.cfg.Topic]; len(partitions) > 0 {
		c.sink.log.Info("assigned", zap.String(keyGroup, c.sink.cfg.Group), zap.Int32s(keyPartitions, partitions))
	}
}

func (c *consumer) dropped(how string, p map[string][]int32) {
	partitions := p[c.sink.cfg.Topic]
	c.leaving.Lock()
	defer c.leaving.Unlock()
	for _, partition := range partitions {
		if o := c.owners[partition]; o != nil {
			o.end()
			delete(c.owners, partition)
		}
	}
	c.client.ResumeFetchPartitions(p) // they may come back
	if len(partitions) > 0 {
		c.sink.log.Info(how, zap.String(keyGroup, c.sink.cfg.Group), zap.Int32s(keyPartitions, partitions))
	}
}

// fetched keeps what was committed with the offsets of partitions that were assigned.
func (c *consumer) fetched(_ context.Context, _ *kgo.Client, r *kmsg.OffsetFetchResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range r.Groups {
		for _, t := range r.Groups[i].Topics {
			for _, p := range t.Partitions {
				if (t.Topic == c.sink.cfg.Topic || t.Topic == "") && p.Metadata != nil {
					at := Progress{Partition: p.Partition, Offset: p.Offset}
					at.decode(*p.Metadata)
					c.resumed[p.Partition] = at
				}
			}
		}
	}
	return nil
}

// leadOwner is the owner of an assigned partition, which may take its time with many rows.
func (c *consumer) leadOwner(partition int32, next int64, waiting map[string]string) *owner {
	o := c.newOwner(partition, next, waiting)
	o.atOnce, o.refused, o.resumed = c.sink.cfg.RejoinAtOnce, c.refused[partition], make(map[string]Rejoin)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.resumed[partition].Rejoins {
		o.resumed[j.Join] = j
	}
	return o
}

func (c *consumer) newOwner(partition int32, next int64, waiting map[string]string) *owner {
	return c.sink.newOwner(c.client, partition, next, waiting)
}

// next returns the next records, or none when there are lanes to tend. The caller
// allows rebalances again.
func (c *consumer) next(ctx context.Context) (fetches kgo.Fetches, err error) {
	err = c.sink.patience().Do(ctx, c.sink.kafka(), func(ctx context.Context) error {
		for {
			limit := idleCheck
			switch {
			case c.rejoins:
				limit = rejoinEvery
			case c.tends:
				limit = tendEvery
			}
			polling, cancel := context.WithTimeout(ctx, limit)
			fetches = c.client.PollRecords(polling, c.sink.cfg.Batch)
			cancel()
			if fetches.NumRecords() > 0 {
				c.seen = time.Now()
				return c.fatal(ctx, fetches)
			}
			if c.tends && time.Since(c.seen) < idleCheck {
				return errors.Join(c.fatal(ctx, fetches), c.transient(ctx, fetches), ctx.Err())
			}
			c.client.AllowRebalance()
			if err := c.fatal(ctx, fetches); err != nil {
				return err
			}
			if err := errors.Join(c.transient(ctx, fetches), ctx.Err()); err != nil {
				return err
			}
			if err := c.sink.samePartitions(ctx, c.client); err != nil {
				return err
			}
			c.seen, c.counted = time.Now(), time.Now()
			c.sink.meter.move()
		}
	})
	return fetches, err
}

// commit commits the offsets and reports them. It goes on for a moment after ctx
// ended. Partitions that moved to another member meanwhile are not committed:
// their new owner repeats the records.
func (c *consumer) commit(ctx context.Context, durable []Progress) error {
	if len(durable) == 0 {
		return nil
	}
	offsets, metadata := make(map[int32]kgo.EpochOffset, len(durable)), make(map[int32]*string, len(durable))
	for _, p := range durable {
		encoded, err := p.encode(c.sink.partitions)
		if err != nil {
			return err
		}
		offsets[p.Partition], metadata[p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.Offset}, &encoded
	}
	commit := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestLimit)
		defer cancel()
		return c.commitOnce(ctx, offsets, metadata)
	}
	err := c.sink.patience().Do(ctx, c.sink.kafka(), commit)
	if ctx.Err() != nil {
		err = commit(context.WithoutCancel(ctx))
	}
	if movedAway(err) {
		c.sink.log.Info("partitions moved before their offsets were committed", zap.Error(err))
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range durable {
		c.owners[p.Partition].reported = p
		if report := c.sink.cfg.OnCommit; report != nil {
			report(p)
		}
	}
	return nil
}

func (c *consumer) commitOnce(ctx context.Context, offsets map[int32]kgo.EpochOffset, metadata map[int32]*string) (err error) {
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for _, topic := range request.Topics { // the one
			for i := range topic.Partitions {
				topic.Partitions[i].Metadata = metadata[topic.Partitions[i].Partition]
			}
		}
		return nil
	})
	request := map[string]map[int32]kgo.EpochOffset{c.sink.cfg.Topic: offsets}
	c.client.CommitOffsetsSync(ctx, request, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, failed error) {
		if err = failed; err != nil {
			return
		}
		for _, topic := range response.Topics {
			for _, p := range topic.Partitions {
				err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	})
	if err == nil || movedAway(err) {
		return err
	}
	return c.sink.kafkaFault("commit offsets", err)
}
