package verify

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
)

// topic reads a topic as far as is asked for, again and again. It is used by one goroutine.
type topic struct {
	kafka *kafka
	name  string

	client *kgo.Client
	starts map[int32]int64 // the first offset that each partition had when the reading began
	next   map[int32]int64 // the offset behind what was read
	last   map[int32]int64 // the offset of the last record that was read, but for those of Kafka's own; -1 for none
}

// open begins to read at what the topic has first.
func (k *kafka) open(ctx context.Context, name string) (*topic, error) {
	starts, err := k.offsets(ctx, name, k.admin.ListStartOffsets)
	if err != nil {
		return nil, err
	}
	from, last := make(map[int32]kgo.Offset, len(starts)), make(map[int32]int64, len(starts))
	for p, at := range starts {
		from[p], last[p] = kgo.NewOffset().At(at), -1
	}
	client, err := k.client(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: from}),
		kgo.FetchMaxBytes(4<<20), // as it is compressed: in memory it is many times that
	)
	if err != nil {
		return nil, err
	}
	return &topic{kafka: k, name: name, client: client, starts: starts, next: maps.Clone(starts), last: last}, nil
}

func (t *topic) close() { t.client.Close() }

// readTo reads each partition up to an offset, waiting for what is open below it. It
// visits the records of one partition in their order, those of several side by side.
func (t *topic) readTo(ctx context.Context, ends map[int32]int64, visit func(partition int32, records []*kgo.Record) error) error {
	left := make(map[int32]int64)
	for p, end := range ends {
		if _, known := t.next[p]; !known {
			return &fault.Error{
				Kind: fault.Refused, Where: "topic " + t.name, What: "it got partitions meanwhile", Why: "rows of one key lie in two of them",
				Fix: "see what the sink says of it",
			}
		}
		if t.next[p] < end {
			left[p] = end
		}
	}
	for len(left) > 0 {
		fetches := t.client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return t.kafka.fault("read topic "+t.name, err)
		}
		if err := t.take(fetches, visit); err != nil {
			return err
		}
		for p, end := range left {
			if t.next[p] >= end {
				delete(left, p)
			}
		}
	}
	return nil
}

// take visits what a poll has brought, which may be more than is waited for.
func (t *topic) take(fetches kgo.Fetches, visit func(partition int32, records []*kgo.Record) error) error {
	var mu sync.Mutex
	var group errgroup.Group
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		records := make([]*kgo.Record, 0, len(f.Records))
		for _, r := range f.Records {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		}
		mu.Lock()
		t.next[f.Partition] = f.Records[len(f.Records)-1].Offset + 1
		if len(records) > 0 {
			t.last[f.Partition] = records[len(records)-1].Offset
		}
		mu.Unlock()
		if len(records) > 0 {
			group.Go(func() error { return visit(f.Partition, records) })
		}
	})
	return group.Wait()
}

// trimmed reports whether the topic did not have its first records any more.
func (t *topic) trimmed() bool {
	for _, start := range t.starts {
		if start > 0 {
			return true
		}
	}
	return false
}
