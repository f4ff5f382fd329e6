package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/workload"
	"penstock/schema"
	"penstock/schema/record"
)

// ends are the high watermarks of the scenario's topics, summed over partitions.
func (w *world) ends(ctx context.Context) (map[string]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, w.topics()...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	sums := map[string]int64{}
	listed.Each(func(o kadm.ListedOffset) { sums[o.Topic] += o.Offset })
	return sums, listed.Error()
}

// topics are those with rows.
func (w *world) topics() []string {
	var names []string
	for _, table := range workload.Tables() {
		names = append(names, w.topic(table.Name))
	}
	return names
}

// adjacentCommits counts the positions that lie directly before the commit record
// of a transaction which was delivered later: had one byte more been confirmed, the
// server would have skipped it.
func (w *world) adjacentCommits(ctx context.Context) (int, error) {
	positions, commits := map[schema.LSN]bool{}, map[schema.LSN]bool{}
	err := w.scan(ctx, []string{w.topic("position")}, func(r *kgo.Record) error {
		if string(r.Key) != w.name {
			return nil
		}
		position, err := record.ParsePosition(r.Value)
		positions[position.EndLSN] = true
		return err
	})
	if err != nil {
		return 0, err
	}
	err = w.scan(ctx, w.topics(), func(r *kgo.Record) error {
		for _, h := range r.Headers {
			if h.Key != record.HeaderLSN {
				continue
			}
			lsn, err := schema.ParseLSN(string(h.Value))
			commits[lsn] = true
			return err
		}
		return nil
	})
	pairs := 0
	for lsn := range positions {
		if commits[lsn] {
			pairs++
		}
	}
	return pairs, err
}

// scan hands over every committed record of the topics.
func (w *common) scan(ctx context.Context, topics []string, take func(*kgo.Record) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()), kgo.ConsumeTopics(topics...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("list offsets: %w", err)
	}
	type part struct {
		topic     string
		partition int32
	}
	left := map[part]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[part{o.Topic, o.Partition}] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", strings.Join(topics, ", "), err)
		}
		for _, r := range fetches.Records() {
			at := part{r.Topic, r.Partition}
			if end, reading := left[at]; reading && r.Offset+1 >= end {
				delete(left, at)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := take(r); err != nil {
				return fmt.Errorf("topic %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}

// spooling reports whether some daemon has written since then to a transaction
// that was not committed.
func (w *world) spooling(since time.Time) bool {
	found := false
	_ = filepath.WalkDir(filepath.Join(w.dir, "spool"), func(_ string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			info, err := entry.Info()
			found = found || err == nil && info.Size() > 0 && info.ModTime().After(since)
		}
		return nil // what cannot be looked at is gone already, or not there yet
	})
	return found
}
