package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// chain is all that was read of a partition, each record hashed with the hash of
// those before it.
type chain struct {
	next  int64 // offset
	count int64 // records
	sum   uint64
}

// add takes the next record. A record before it is a rewind, and an error.
func (c *chain) add(seed maphash.Seed, r *kgo.Record) error {
	if r.Offset < c.next {
		return fmt.Errorf("%s: read again, %d was next", where(r), c.next)
	}
	c.next = r.Offset + 1
	if r.Attrs.IsControl() {
		return nil
	}
	var h maphash.Hash
	h.SetSeed(seed)
	var number [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(number[:], v)
		h.Write(number[:])
	}
	bytes := func(b []byte) {
		put(uint64(len(b)))
		h.Write(b)
	}
	put(c.sum)
	put(uint64(r.Offset))
	bytes(r.Key)
	bytes(r.Value)
	if r.Value == nil {
		put(1)
	}
	for _, header := range r.Headers {
		bytes([]byte(header.Key))
		bytes(header.Value)
	}
	c.sum = h.Sum64()
	c.count++
	return nil
}

// follower is K2's consumer: it reads committed records while everything breaks
// around it, and must have read what a scan in the end reads.
type follower struct {
	brokers  []string
	topics   []string // with the position topic
	position string   // topic
	key      string
	seed     maphash.Seed

	mu        sync.Mutex
	chains    map[partition]*chain
	positions []position // in order: also those that are compacted later
	problems  []string
	count     int64
}

// run reads until ctx ends. It begins at the first record, once the topics are
// there, and no error makes it go back.
func (f *follower) run(ctx context.Context) error {
	partitions, err := f.await(ctx)
	if err != nil {
		return err
	}
	cl, err := client(f.brokers, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(partitions),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return fmt.Errorf("open the concurrent consumer: %w", err)
	}
	defer cl.Close()
	for ctx.Err() == nil {
		fetches := cl.PollRecords(ctx, polled)
		f.mu.Lock()
		fetches.EachRecord(f.take)
		fetches.EachError(func(topic string, number int32, err error) {
			if ctx.Err() == nil && !passing(err) {
				f.problem("topic %s, partition %d: %v", topic, number, err)
			}
		})
		f.mu.Unlock()
	}
	return nil
}

// await returns every partition from its first offset, when all topics exist.
func (f *follower) await(ctx context.Context) (map[string]map[int32]kgo.Offset, error) {
	cl, err := client(f.brokers)
	if err != nil {
		return nil, fmt.Errorf("open the concurrent consumer: %w", err)
	}
	defer cl.Close()
	for {
		all, err := spans(ctx, kadm.NewClient(cl), f.topics)
		from := map[string]map[int32]kgo.Offset{}
		for p := range all {
			if from[p.topic] == nil {
				from[p.topic] = map[int32]kgo.Offset{}
			}
			from[p.topic][p.number] = kgo.NewOffset().At(0)
		}
		if err == nil && len(from) == len(f.topics) {
			return from, nil
		}
		if pause(ctx) != nil {
			return nil, nil //nolint:nilnil // nobody wants it any more
		}
	}
}

// take holds mu.
func (f *follower) take(r *kgo.Record) {
	p := partition{r.Topic, r.Partition}
	c := f.chains[p]
	if c == nil {
		c = &chain{}
		f.chains[p] = c
	}
	if err := c.add(f.seed, r); err != nil {
		f.problem("%v", err)
		return
	}
	f.count++
	if r.Topic != f.position || string(r.Key) != f.key || r.Attrs.IsControl() {
		return
	}
	at, err := parsePosition(r)
	if err != nil {
		f.problem("%v", err)
		return
	}
	f.positions = append(f.positions, at)
}

func (f *follower) problem(format string, args ...any) {
	if len(f.problems) < shown {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// behind tells what it has still to read of the partitions.
func (f *follower) behind(of map[partition]span) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, s := range of {
		next := int64(0)
		if c := f.chains[p]; c != nil {
			next = c.next
		}
		if next < s.end {
			return fmt.Sprintf("topic %s, partition %d: read up to offset %d of %d", p.topic, p.number, next, s.end)
		}
	}
	return ""
}

// compare holds what was read against the chains of a scan of the same
// partitions. It is for when nothing more is written to them.
func (f *follower) compare(v *Verdict, scanned map[partition]*chain) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.problems {
		v.report(Reread, "%s", p)
	}
	for p, want := range scanned {
		if p.topic == f.position {
			continue // the daemon goes on writing it
		}
		got := f.chains[p]
		if got == nil { // it was never written to
			got = &chain{}
		}
		if got.sum != want.sum || got.count != want.count {
			v.report(Reread, "topic %s, partition %d: the concurrent consumer has read %+v, the scan %+v", p.topic, p.number, *got, *want)
		}
	}
}

// pause waits for lookEvery, or returns why not.
func pause(ctx context.Context) error {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
