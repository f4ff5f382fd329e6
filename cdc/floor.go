package cdc

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/record"
)

// tailRecords is how far from the end of a partition its last record is looked for at
// first: behind it, there may be markers and what was aborted.
const tailRecords = 64

// versionFloor returns the newest version that the data topics hold, 0 for none. A
// capture that has lost its position begins above it: what it sends next would else be
// older for every sink than what they have, if the server's clock has gone back.
//
// Versions grow in every partition, so the last ones are those to look at. Where these
// were not written by a capture, what lies before them is not read: the topic may be as
// large as it likes.
func (c *Capture) versionFloor(ctx context.Context) (int64, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	topics, err := openTopics(&c.cfg)
	if err != nil {
		return 0, err
	}
	defer topics.Close()
	left, err := topics.tails(ctx)
	if err != nil {
		return 0, kafkaFault("kafka.brokers", "list offsets", causeOf(ctx, err))
	}
	floor := int64(0)
	for size := int64(tailRecords); len(left) > 0; size *= 8 {
		for _, t := range left {
			t.from, t.read = max(t.start, t.end-size), false
		}
		if err := c.readTails(ctx, left); err != nil {
			return 0, kafkaFault("kafka.brokers", "say what the topics hold last", causeOf(ctx, err))
		}
		for p, t := range left {
			floor = max(floor, t.version)
			if t.found || t.from == t.start {
				delete(left, p)
			}
			t.end = t.from // nothing there: further back
		}
	}
	return floor, nil
}

type partitionOf struct {
	topic     string
	partition int32
}

// tail is what is to be read of a partition.
type tail struct {
	start     int64 // of the partition
	from, end int64 // of the part that is read
	read      bool  // all of it
	found     bool  // it has a committed record
	version   int64 // of the last one that has any
}

// tails are those of all data topics that hold anything.
func (t *topics) tails(ctx context.Context) (map[partitionOf]*tail, error) {
	starts, err := t.admin.ListStartOffsets(ctx, t.data()...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := t.admin.ListCommittedOffsets(ctx, t.data()...)
	if err == nil {
		err = ends.Error()
	}
	all := map[partitionOf]*tail{}
	ends.Each(func(o kadm.ListedOffset) {
		if start, found := starts.Lookup(o.Topic, o.Partition); found && start.Offset < o.Offset {
			all[partitionOf{o.Topic, o.Partition}] = &tail{start: start.Offset, end: o.Offset}
		}
	})
	return all, err
}

// readTails finds the last committed record of each part.
func (c *Capture) readTails(ctx context.Context, parts map[partitionOf]*tail) error {
	offsets := map[string]map[int32]kgo.Offset{}
	for p, t := range parts {
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.Offset{}
		}
		offsets[p.topic][p.partition] = kgo.NewOffset().At(t.from)
	}
	cl, err := c.cfg.kafka(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumePartitions(offsets))
	if err != nil {
		return err
	}
	defer cl.Close()
	for open := len(parts); open > 0; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			t := parts[partitionOf{r.Topic, r.Partition}]
			if t.read {
				continue
			}
			t.take(r)
			if t.read = r.Offset >= t.end-1; t.read {
				open--
				cl.PauseFetchPartitions(map[string][]int32{r.Topic: {r.Partition}})
			}
		}
	}
	return nil
}

// take looks at the next record of the partition. One without a version, or with one that
// is no number, was not written by a capture.
func (t *tail) take(r *kgo.Record) {
	if r.Attrs.IsControl() || r.Offset >= t.end {
		return
	}
	for _, h := range r.Headers {
		if h.Key != record.HeaderVersion {
			continue
		}
		if version, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
			t.found, t.version = true, max(t.version, version)
		}
	}
}
