package cassandra

import (
	"context"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"penstock/sink"
)

const (
	// maxBatch and maxBatchBytes bound the statements of one batch, so that a message
	// stays far below the server's limit.
	maxBatch      = 50
	maxBatchBytes = 512 << 10
)

// historyDay is one partition of the history.
type historyDay struct {
	content sink.UUID
	day     int64
}

// plan sorts the writes of one Apply by where they go.
type plan struct {
	history map[historyDay][]gocql.BatchEntry // one unlogged batch or more for each
	single  []gocql.BatchEntry                // statements on a partition of their own
	clear   []*sink.Write                     // contents whose whole history goes
}

// Apply makes the writes durable at the configured consistency. See [sink.Store].
func (s *Store) Apply(ctx context.Context, writes []sink.Write) error {
	p := plan{history: make(map[historyDay][]gocql.BatchEntry)}
	for i := range writes {
		s.add(&p, &writes[i])
	}
	// A history row must not be there without its day in the index.
	if err := s.indexDays(ctx, writes); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for _, w := range p.clear {
		group.Go(func() error { return s.clearHistory(ctx, w) })
	}
	for _, entries := range p.history {
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
			text, _ := arg.(string)
			bytes += len(text)
		}
		if n == maxBatch || n > 0 && bytes > maxBatchBytes {
			return n
		}
	}
	return len(entries)
}

func (s *Store) add(p *plan, w *sink.Write) {
	day := historyDay{content: w.Place.Content, day: w.Place.Day()}
	switch w.Action {
	case sink.PutEvent:
		history := []any{gocql.UUID(day.content), dayArg(day.day), w.Row.ID}
		byEvent := []any{uuidArg(w.Row.ContentID), w.Row.ID}
		p.history[day] = append(p.history[day], entry(s.cql.putHistory, rowArgs(history, w.Row, w.Version)...))
		p.single = append(p.single, entry(s.cql.putByEvent, rowArgs(byEvent, w.Row, w.Version)...))
	case sink.DeleteEvent:
		p.single = append(p.single, entry(s.cql.deleteByEvent, w.Version, w.Place.Event))
	case sink.DeletePlace:
		p.history[day] = append(p.history[day], entry(s.cql.deletePlace,
			w.Version, gocql.UUID(day.content), dayArg(day.day), w.Place.Millis, w.Place.Event))
	case sink.PutContent:
		c := w.Content
		p.single = append(p.single, entry(s.cql.putContent, gocql.UUID(c.ID), arg(c.Slug), arg(c.Title), arg(c.Type),
			arg(c.LengthSeconds), arg(c.PublishTime), w.Version, w.Version))
	case sink.DeleteContent:
		p.single = append(p.single, entry(s.cql.deleteContent, w.Version, gocql.UUID(w.Content.ID)))
	case sink.ClearHistory:
		p.clear = append(p.clear, w)
	}
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

// clearHistory deletes every day of a content that the index knows.
func (s *Store) clearHistory(ctx context.Context, w *sink.Write) error {
	days, err := s.daysOf(ctx, w.Place.Content)
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := s.exec(ctx, []gocql.BatchEntry{entry(s.cql.deleteDay, w.Version, gocql.UUID(w.Place.Content), day)}); err != nil {
			return err
		}
	}
	return nil
}

// indexDays writes the days of the put events into the index, but for those that
// this Store has written before. The index is never deleted from.
func (s *Store) indexDays(ctx context.Context, writes []sink.Write) error {
	fresh := make(map[historyDay]int64)
	for i := range writes {
		w := &writes[i]
		day := historyDay{content: w.Place.Content, day: w.Place.Day()}
		if w.Action == sink.PutEvent && !s.days.has(day) {
			fresh[day] = w.Version
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for day, version := range fresh {
		group.Go(func() error {
			return s.exec(ctx, []gocql.BatchEntry{entry(s.cql.putDay, gocql.UUID(day.content), dayArg(day.day), version, version)})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.days.add(fresh)
	return nil
}

// maxDays bounds the days remembered, at some 50 bytes each.
const maxDays = 200_000

// dayIndex remembers which days are known to be in the index table.
type dayIndex struct {
	mu   sync.Mutex
	seen map[historyDay]struct{} // guarded by mu
}

func newDayIndex() *dayIndex { return &dayIndex{seen: make(map[historyDay]struct{})} }

func (d *dayIndex) has(day historyDay) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, found := d.seen[day]
	return found
}

// add remembers the days; when they are too many it forgets all others first,
// which costs writing those again.
func (d *dayIndex) add(days map[historyDay]int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen)+len(days) > maxDays {
		clear(d.seen)
	}
	for day := range days {
		d.seen[day] = struct{}{}
	}
}
