package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	metadataMinAge = 250 * time.Millisecond // how old a client's picture of the cluster may be
	lookEvery      = 100 * time.Millisecond // at the slot and its position, and at what is waited for
	polled         = 5_000                  // records at once: what is in memory besides what the client has fetched
)

// client opens a Kafka client of the ledger's own.
func client(brokers []string, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(metadataMinAge), kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(16 << 20), kgo.MaxConcurrentFetches(2), kgo.DisableFetchSessions(),
	}, opts...)...)
}

// span is the offsets of a partition, from the first to behind the last.
type span struct{ start, stable, end int64 }

// spans describes every partition of those topics that exist.
func spans(ctx context.Context, admin *kadm.Client, topics []string) (map[partition]span, error) {
	out := map[partition]span{}
	for _, list := range []struct {
		ask  func(context.Context, ...string) (kadm.ListedOffsets, error)
		keep func(*span, int64)
	}{
		{admin.ListStartOffsets, func(s *span, o int64) { s.start = o }},
		{admin.ListEndOffsets, func(s *span, o int64) { s.end = o }},
		{admin.ListCommittedOffsets, func(s *span, o int64) { s.stable = o }},
	} {
		listed, err := list.ask(ctx, topics...)
		if err != nil {
			return nil, fmt.Errorf("list offsets: %w", err)
		}
		for _, partitions := range listed {
			for _, o := range partitions {
				if errors.Is(o.Err, kerr.UnknownTopicOrPartition) {
					continue
				}
				if o.Err != nil {
					return nil, fmt.Errorf("list offsets of topic %s, partition %d: %w", o.Topic, o.Partition, o.Err)
				}
				p := partition{o.Topic, o.Partition}
				s := out[p]
				list.keep(&s, o.Offset)
				out[p] = s
			}
		}
	}
	return out, nil
}

// scan reads every record of the partitions from start to end, control records
// included, and lets visit see them in the order of their partition.
func (l *Ledger) scan(ctx context.Context, isolation kgo.IsolationLevel, of map[partition]span, visit func(*kgo.Record)) error {
	from, left := map[string]map[int32]kgo.Offset{}, 0
	next := map[partition]int64{}
	for p, s := range of {
		if s.start == s.end {
			continue
		}
		if from[p.topic] == nil {
			from[p.topic] = map[int32]kgo.Offset{}
		}
		from[p.topic][p.number] = kgo.NewOffset().At(s.start)
		next[p] = s.start
		left++
	}
	if left == 0 {
		return nil
	}
	cl, err := client(l.target.Brokers, kgo.FetchIsolationLevel(isolation), kgo.ConsumePartitions(from),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return fmt.Errorf("open a reader: %w", err)
	}
	defer cl.Close()
	for left > 0 {
		fetches := cl.PollRecords(ctx, polled)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the topics: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := partition{r.Topic, r.Partition}
			end := of[p].end
			if r.Offset >= end {
				return
			}
			visit(r)
			if next[p] = r.Offset + 1; next[p] == end {
				left--
			}
		})
	}
	return nil
}

// aborts counts, over a read-uncommitted scan, what was aborted.
type aborts struct {
	open map[openAt]int64 // records
	txns map[producer]bool
	n    int64
}

// openAt is a transaction that is open on a partition: one producer has one.
type openAt struct {
	partition
	id    int64
	epoch int16
}

func newAborts() *aborts { return &aborts{open: map[openAt]int64{}, txns: map[producer]bool{}} }

func (a *aborts) take(r *kgo.Record) {
	if !r.Attrs.IsTransactional() {
		return
	}
	p := partition{r.Topic, r.Partition}
	if !r.Attrs.IsControl() {
		a.open[openAt{p, r.ProducerID, r.ProducerEpoch}]++
		return
	}
	aborted := len(r.Key) >= 4 && r.Key[2] == 0 && r.Key[3] == 0 // type: 0 is abort, 1 is commit
	for at, records := range a.open {
		if at.partition != p || at.id != r.ProducerID {
			continue
		}
		if aborted {
			a.n += records
			a.txns[producer{at.id, at.epoch}] = true
		}
		delete(a.open, at)
	}
}

// conclude reports the counts, and what has neither been committed nor aborted.
func (a *aborts) conclude(v *Verdict) {
	v.AbortedTxns, v.AbortedRecords = int64(len(a.txns)), a.n
	for at, records := range a.open {
		v.report(Hanging, "topic %s, partition %d: %d records of producer %d have no marker", at.topic, at.number, records, at.id)
	}
}
