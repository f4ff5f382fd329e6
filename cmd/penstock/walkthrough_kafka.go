package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/record"
)

// topicReader reads whole topics as a read-committed consumer sees them.
type topicReader struct {
	client  *kgo.Client
	admin   *kadm.Client
	topics  []string
	records map[string][]topicRecord   // by topic, in the order of arrival
	next    map[string]map[int32]int64 // by topic and partition: the next offset
}

// topicRecord is one change as it lies on a topic.
type topicRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	At        record.Coordinates
	Key       string
	Tombstone bool
	Change    record.Change // zero for a tombstone
}

func newTopicReader(brokers []string, topics ...string) (*topicReader, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.KeepControlRecords(), // the ends of transactions take offsets too
	)
	if err != nil {
		return nil, fmt.Errorf("open kafka reader: %w", err)
	}
	return &topicReader{
		client: client, admin: kadm.NewClient(client), topics: topics,
		records: map[string][]topicRecord{}, next: map[string]map[int32]int64{},
	}, nil
}

func (t *topicReader) close() { t.client.Close() }

// consumed asks whether a consumer group has settled on its partitions. A broker
// that cannot say is one that has just started.
func (t *topicReader) consumed(group string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		groups, err := t.admin.DescribeGroups(ctx, group)
		return err == nil && groups[group].State == "Stable" && len(groups[group].Members) > 0, ctx.Err()
	}
}

// catchUp reads on to what is committed now.
func (t *topicReader) catchUp(ctx context.Context) error {
	ends, err := t.admin.ListCommittedOffsets(ctx, t.topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list the ends of %v: %w", t.topics, err)
	}
	for !t.reached(ends) {
		fetches := t.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %v: %w", t.topics, err)
		}
		for r := range fetches.RecordsAll() {
			if err := t.take(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *topicReader) reached(ends kadm.ListedOffsets) bool {
	behind := false
	ends.Each(func(end kadm.ListedOffset) {
		behind = behind || t.next[end.Topic][end.Partition] < end.Offset
	})
	return !behind
}

// take keeps one record.
func (t *topicReader) take(r *kgo.Record) error {
	if t.next[r.Topic] == nil {
		t.next[r.Topic] = map[int32]int64{}
	}
	t.next[r.Topic][r.Partition] = r.Offset + 1
	if r.Attrs.IsControl() {
		return nil
	}
	kept := topicRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: string(r.Key), Tombstone: r.Value == nil}
	where := fmt.Sprintf("topic %s partition %d offset %d", r.Topic, r.Partition, r.Offset)
	var err error
	if !kept.Tombstone {
		if kept.Change, err = record.Parse(r.Value); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	kept.At, err = record.ParseCoordinates(func(key string) ([]byte, bool) {
		for _, h := range r.Headers {
			if h.Key == key {
				return h.Value, true
			}
		}
		return nil, false
	})
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	t.records[r.Topic] = append(t.records[r.Topic], kept)
	return nil
}
