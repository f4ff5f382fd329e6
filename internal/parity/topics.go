package parity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/parity/golden"
)

// read returns every committed record of the topics of the pass but the marker's:
// topic after topic by name, each in its own order. Messages belong to no table
// and come in every pass; they are looked at in some.
func (r *Rig) read(ctx context.Context, p Pass) ([]golden.Record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	all, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var records []golden.Record
	names := all.Names()
	slices.Sort(names)
	for _, topic := range names {
		table, ok := strings.CutPrefix(topic, p.Name+".")
		if p.beats() && topic == heartbeatTopic(p) {
			// How many there are is a matter of time: the first stands for all.
			err := r.scan(ctx, topic, func(raw *kgo.Record) error {
				if n := len(records); n > 0 && records[n-1].Topic == p.Name+"."+heartbeatTable {
					return nil
				}
				record, err := golden.NewRecord(p.Name+"."+heartbeatTable, raw.Key, raw.Value, headersOf(raw), p.Schemas)
				records = append(records, record)
				return err
			})
			if err != nil {
				return records, fmt.Errorf("read %s: %w", topic, err)
			}
		}
		if !ok || table == markerTable || table == messageTable && !p.messages() {
			continue
		}
		err := r.scan(ctx, topic, func(raw *kgo.Record) error {
			record, err := golden.NewRecord(topic, raw.Key, raw.Value, headersOf(raw), p.Schemas)
			if err != nil {
				return fmt.Errorf("offset %d: %w", raw.Offset, err)
			}
			records = append(records, record)
			return nil
		})
		if err != nil {
			return records, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return records, nil
}

func headersOf(raw *kgo.Record) []golden.Header {
	var headers []golden.Header
	for _, h := range raw.Headers {
		headers = append(headers, golden.Header{Key: h.Key, Value: string(h.Value)})
	}
	return headers
}

// heartbeatTopic is where both write the heartbeats of the pass.
func heartbeatTopic(p Pass) string { return "__debezium-heartbeat." + p.Name }

// removeTopics removes the topics of the pass.
func (r *Rig) removeTopics(ctx context.Context, p Pass) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	return Eventually(ctx, func() (bool, error) {
		all, err := admin.ListTopics(ctx)
		if err != nil {
			return false, fmt.Errorf("list topics: %w", err)
		}
		names := slices.DeleteFunc(all.Names(), func(name string) bool { return !strings.HasPrefix(name, p.Name+".") && name != heartbeatTopic(p) })
		if len(names) == 0 {
			return true, nil
		}
		if _, err := admin.DeleteTopics(ctx, names...); err != nil {
			return false, fmt.Errorf("delete topics: %w", err)
		}
		return false, nil // until they are gone
	})
}

// scan is [Scan] at the rig's broker.
func (r *Rig) scan(ctx context.Context, topic string, take func(*kgo.Record) error) error {
	return Scan(ctx, r.kafka.Address(), topic, take)
}

// Scan hands over the committed records of a topic, partition after partition, as a read-committed consumer sees them.
func Scan(ctx context.Context, broker, topic string, take func(*kgo.Record) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err
	}
	for _, end := range ends.Offsets().Sorted() {
		if end.At == 0 {
			continue
		}
		if err := scanPartition(ctx, broker, topic, end.Partition, end.At, take); err != nil {
			return err
		}
	}
	return nil
}

func scanPartition(ctx context.Context, broker, topic string, partition int32, end int64, take func(*kgo.Record) error) error {
	from := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			next = record.Offset + 1
			if record.Attrs.IsControl() || next > end {
				continue
			}
			if err := take(record); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitMarker returns when the marker's topic has a record; failed is asked meanwhile.
func (r *Rig) awaitMarker(ctx context.Context, prefix string, failed func() error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topic := prefix + "." + markerTable
	return Eventually(ctx, func() (bool, error) {
		if err := failed(); err != nil {
			return false, err
		}
		topics, err := admin.ListTopics(ctx, topic)
		if err != nil || !topics.Has(topic) {
			return false, err
		}
		ends, err := admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return false, err
		}
		end, ok := ends.Lookup(topic, 0)
		return ok && end.Err == nil && end.Offset > 0, end.Err
	})
}

// Eventually asks every 100 ms until the answer is true.
func Eventually(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
