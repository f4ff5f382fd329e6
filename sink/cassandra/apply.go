package cassandra

import (
	"context"
	"maps"
	"slices"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

const (
	// maxBatch and maxBatchBytes bound the statements of one batch, so that a message
	// stays far below the server's limit.
	maxBatch      = 50
	maxBatchBytes = 512 << 10
)

// sorted is the writes of one Apply by where they go.
type sorted struct {
	history map[string][]gocql.BatchEntry     // by partition: one unlogged batch or more for each
	hours   map[plan.Value][]gocql.BatchEntry // the same, of totals
	single  []gocql.BatchEntry                // statements on a partition of their own
	clear   []*sink.Write                     // join values whose whole history goes
}

// Apply makes the writes durable at the configured consistency. See [sink.Store].
func (s *Store) Apply(ctx context.Context, writes []sink.Write) error {
	p := sorted{history: make(map[string][]gocql.BatchEntry), hours: make(map[plan.Value][]gocql.BatchEntry)}
	for i := range writes {
		s.add(&p, &writes[i])
	}
	// A history row must not be there without its bucket in the index.
	if err := s.indexBuckets(ctx, writes); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for _, w := range p.clear {
		group.Go(func() error { return s.clearHistory(ctx, w) })
	}
	for _, entries := range slices.Concat(slices.Collect(maps.Values(p.history)), slices.Collect(maps.Values(p.hours))) {
		for len(entries) > 0 {
			n := batchLength(entries)
			batch := entries[:n]
			entries = entries[n:]
			group.Go(func() error { return s.exec(ctx, batch) })
		}
	}
	for i := range p.single {
		group.Go(func() error { return s.exec(ctx, p.single[i:i+1]) })
	}
	return group.Wait()
}

// batchLength is how many of the entries go into one batch, one at least.
func batchLength(entries []gocql.BatchEntry) int {
	bytes := 0
	for n := range entries {
		for _, arg := range entries[n].Args {
			switch arg := arg.(type) {
			case string:
				bytes += len(arg)
			case []byte:
				bytes += len(arg)
			}
		}
		if n == maxBatch || n > 0 && bytes > maxBatchBytes {
			return n
		}
	}
	return len(entries)
}

func (s *Store) add(p *sorted, w *sink.Write) {
	switch w.Action {
	case sink.Put, sink.Delete:
		var buffer [64]byte
		if h := &s.cql.history; w.Touches(s.plan, h.Place) {
			partition := string(s.plan.AppendPartition(buffer[:0], w.Row))
			p.history[partition] = append(p.history[partition], s.rowEntry(h, w))
		}
		for i := range s.cql.views {
			if view := &s.cql.views[i]; w.Touches(s.plan, view.Place) {
				p.single = append(p.single, s.rowEntry(view, w))
			}
		}
	case sink.PutLookup:
		first, _ := s.plan.LookupSlots()
		values := make([]any, 0, len(s.cql.lookups.Columns)+2)
		for _, c := range s.cql.lookups.Columns {
			values = append(values, arg(c.Form, w.Lookup.Values[c.Slot-first]))
		}
		p.single = append(p.single, entry(s.cql.lookups.put, append(values, w.Version, w.Version)...))
	case sink.DeleteLookup:
		p.single = append(p.single, entry(s.cql.lookups.remove, w.Version, arg(s.cql.lookups.Columns[0].Form, w.Lookup.Key)))
	case sink.ClearHistory:
		p.clear = append(p.clear, w)
	case sink.PutTotals:
		if w.Totals.Hour == totals.Whole {
			p.single = append(p.single, s.totalsEntry(w.Totals))
			return
		}
		p.hours[w.Totals.Join] = append(p.hours[w.Totals.Join], s.totalsEntry(w.Totals))
	}
}

// rowEntry is the statement of a Put or Delete on one table.
func (s *Store) rowEntry(t *table, w *sink.Write) gocql.BatchEntry {
	if w.Action == sink.Delete {
		key := t.Columns[:t.Partition+t.Clustering]
		return entry(t.remove, args(append(make([]any, 0, len(key)+1), w.Version), s.plan, key, w.Row)...)
	}
	values := args(make([]any, 0, len(t.Columns)+2), s.plan, t.Columns, w.Row)
	return entry(t.put, append(values, w.Version, w.Version)...)
}

// entry is a statement that may be sent again: its timestamp is fixed.
func entry(stmt string, args ...any) gocql.BatchEntry {
	return gocql.BatchEntry{Stmt: stmt, Args: args, Idempotent: true}
}

// exec sends statements of one partition and waits for the answer.
func (s *Store) exec(ctx context.Context, entries []gocql.BatchEntry) error {
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var err error
	if len(entries) == 1 {
		err = s.session.Query(entries[0].Stmt, entries[0].Args...).Idempotent(true).ExecContext(ctx)
	} else {
		batch := s.session.Batch(gocql.UnloggedBatch)
		batch.Entries = entries
		err = batch.ExecContext(ctx)
	}
	if err != nil {
		return s.fault("write", err)
	}
	return nil
}

// clearHistory deletes every bucket of a join value that the index knows.
func (s *Store) clearHistory(ctx context.Context, w *sink.Write) error {
	buckets, err := s.bucketsOf(ctx, w.Join)
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		if err := s.exec(ctx, []gocql.BatchEntry{entry(s.cql.clear, w.Version, s.joinArg(w.Join), bucket)}); err != nil {
			return err
		}
	}
	return nil
}

// fresh is a row by which a bucket is new.
type fresh struct {
	row     plan.Row
	version int64
}

// indexBuckets writes the buckets of the rows that are put into the index, but for
// those that this Store has written before. The index is never deleted from.
func (s *Store) indexBuckets(ctx context.Context, writes []sink.Write) error {
	unseen := make(map[string]fresh)
	var buffer [64]byte
	for i := range writes {
		w := &writes[i]
		if w.Action != sink.Put {
			continue
		}
		if bucket := s.plan.AppendPartition(buffer[:0], w.Row); !s.buckets.has(bucket) {
			unseen[string(bucket)] = fresh{row: w.Row, version: w.Version}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for _, f := range unseen {
		group.Go(func() error {
			return s.exec(ctx, []gocql.BatchEntry{s.rowEntry(&s.cql.days, &sink.Write{Action: sink.Put, Version: f.version, Row: f.row})})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.buckets.add(unseen)
	return nil
}

// maxBuckets bounds the buckets remembered, at some 50 bytes each.
const maxBuckets = 200_000

// bucketIndex remembers which buckets are known to be in the index table.
type bucketIndex struct {
	mu   sync.Mutex
	seen map[string]struct{} // guarded by mu
}

func newBucketIndex() *bucketIndex { return &bucketIndex{seen: make(map[string]struct{})} }

func (d *bucketIndex) has(bucket []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, found := d.seen[string(bucket)]
	return found
}

// add remembers the buckets; when they are too many it forgets all others first,
// which costs writing those again.
func (d *bucketIndex) add(buckets map[string]fresh) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen)+len(buckets) > maxBuckets {
		clear(d.seen)
	}
	for bucket := range buckets {
		d.seen[bucket] = struct{}{}
	}
}
