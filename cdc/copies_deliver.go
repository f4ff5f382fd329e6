package cdc

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"penstock/cdc/backfill"
	"penstock/cdc/copytext"
	"penstock/internal/fault"
	"penstock/schema"
)

// copied takes what a reader did, and delivers what may be.
func (s *session) copied(ctx context.Context, r *backfill.Result) error {
	s.copies.take(r)
	return s.deliverCopies(ctx)
}

// deliverCopies delivers the chunks that the stream has come behind, and writes down
// what has become of jobs, if the stream stands between two transactions.
func (s *session) deliverCopies(ctx context.Context) error {
	c := s.copies
	if c == nil || s.assembler.InTransaction() || !s.assembler.open.IsZero() {
		return nil
	}
	for len(c.waiting) > 0 && c.waiting[0].After <= s.assembler.delivered {
		chunk := c.waiting[0]
		c.waiting = c.waiting[1:]
		if err := s.deliverChunk(ctx, chunk); err != nil {
			return err
		}
	}
	if c.pending() {
		if err := s.commitCopies(ctx); err != nil {
			return err
		}
	}
	c.deal()
	return nil
}

// commitCopies ends the Kafka transaction where the stream stands.
func (s *session) commitCopies(ctx context.Context) error {
	next := s.position
	next.Version = s.assembler.Version()
	if !s.boundary.IsZero() {
		next.EndLSN = s.boundary
	}
	return s.commitAt(ctx, next)
}

// deliverChunk delivers the rows that the stream has not overtaken, in a Kafka
// transaction that says how far the job has come.
func (s *session) deliverChunk(ctx context.Context, chunk *backfill.Chunk) error {
	c, table := s.copies, chunk.Order.Table
	if !c.back(&chunk.Order) {
		return nil // it was paused or cancelled meanwhile
	}
	rel, ok := c.shape(s.assembler.relations[chunk.Relation.OID], chunk)
	if !ok {
		c.desks[table].Resweep()
		return nil // it is dealt again
	}
	if s.held.records > 0 {
		if err := s.end(ctx); err != nil {
			return err
		}
	}
	delivered, dropped, torn, err := s.produceRows(ctx, chunk, rel)
	if err == nil && chunk.Order.Sweep != nil {
		delivered, dropped, err = s.produceMissed(ctx, chunk, rel)
	}
	if err != nil {
		return err
	}
	s.cfg.reach(FailCopied)
	c.desks[table].Deliver(chunk, delivered, dropped, torn)
	c.changed[table] = true
	if c.desks[table].Job.Swept {
		c.window.Release(table)
	}
	c.complete(table)
	c.forget()
	return s.commitCopies(ctx)
}

// shape is the version of the relation that the rows of a chunk have: the stream's, where
// it is the same. A table that was altered meanwhile is read again: what the stream has
// announced may be newer, and what two chunks have alike is what it is.
func (c *copies) shape(announced *schema.Relation, chunk *backfill.Chunk) (*schema.Relation, bool) {
	rel, table := chunk.Relation, chunk.Order.Table
	last := c.shapes[table]
	switch {
	case sameShape(announced, rel):
		c.shapes[table] = announced
		return announced, true
	case sameShape(last, rel):
		return last, true
	}
	c.shapes[table] = rel
	return rel, announced == nil
}

func sameShape(a, b *schema.Relation) bool {
	return a != nil && a.OID == b.OID && a.Table == b.Table && a.Identity == b.Identity && slices.Equal(a.Key, b.Key) &&
		slices.EqualFunc(a.Columns, b.Columns, func(x, y schema.Column) bool {
			return x.Name == y.Name && x.TypeOID == y.TypeOID && x.TypeMod == y.TypeMod && x.Identity == y.Identity
		})
}

// produceRows produces the rows of a chunk.
func (s *session) produceRows(ctx context.Context, chunk *backfill.Chunk, rel *schema.Relation) (delivered, dropped int64, torn map[string]bool, err error) {
	var reader copytext.Reader
	var key []byte
	var event schema.Event
	torn = map[string]bool{}
	at, now := s.readAt(), time.Now()
	for line := range bytes.Lines(chunk.Rows) {
		row, err := reader.Row(line, len(rel.Columns))
		if err != nil {
			return 0, 0, nil, &fault.Error{Kind: fault.Runtime, Where: "backfill of " + rel.Table.String(), What: "a row cannot be read", Err: err}
		}
		for i := range row {
			if !chunk.Order.Scope.Reads(rel, i) {
				row[i] = schema.Value{Kind: schema.Unchanged}
			}
		}
		key = backfill.AppendKey(key[:0], row, rel.Key)
		if verdict := s.copies.window.Judge(rel.Table, key, &chunk.Snapshot); verdict != backfill.Fresh {
			if dropped++; verdict == backfill.Torn {
				torn[string(key)] = true
			}
			continue
		}
		event = schema.Event{Op: schema.OpRead, Relation: rel, New: row, Source: at, Version: s.assembler.clock.Tick(0)}
		err = s.route(ctx, &event, now)
		if err == nil && len(s.scratch) >= copiedTogether {
			err = s.send(ctx, now)
		}
		if err != nil {
			return 0, 0, nil, fmt.Errorf("backfill of %s: %w", rel.Table, err)
		}
		at.Seq++
		delivered++
	}
	if len(s.scratch) > 0 {
		err = s.send(ctx, now)
	}
	return delivered, dropped, torn, err
}

// copiedTogether is how many records of a chunk are handed to the producer together: few enough to be sent while the next are made.
const copiedTogether = 256

// produceMissed produces what was missed: deletes of the rows that Kafka holds and the table has not, and
// updates of those that it holds otherwise, so that they leave where they were.
func (s *session) produceMissed(ctx context.Context, chunk *backfill.Chunk, rel *schema.Relation) (delivered, dropped int64, err error) {
	at := s.readAt()
	for i := range chunk.Missed {
		m := &chunk.Missed[i]
		event := schema.Event{Op: schema.OpDelete, Relation: rel, Old: m.Row, New: m.Now, Source: at}
		switch said := s.copies.window.Said(rel.Table, m.Key); {
		case said && s.copies.follows(rel.Table, m):
			dropped++
			continue
		case said: // the row is read again behind this, and has to be, however late it becomes visible
			event.New = nil
			s.copies.tear(rel.Table, m.Key)
		case m.Now != nil:
			event.Op = schema.OpUpdate
		}
		event.Version = s.assembler.clock.Tick(0)
		if err := s.produce(ctx, []schema.Event{event}); err != nil {
			return 0, 0, fmt.Errorf("backfill of %s: %w", rel.Table, err)
		}
		at.Seq++
		if event.Op == schema.OpDelete && m.Now == nil {
			delivered++
		}
	}
	return delivered, dropped, nil
}

// follows reports whether what the stream has said of a row since follows on what Kafka holds of it. Of keys
// alone that does not matter; of a whole row it may have begun elsewhere, and has not left where Kafka has it.
func (c *copies) follows(table schema.TableName, m *backfill.Missed) bool {
	return m.Version == 0 || m.Version > c.since || c.window.Began(table, m.Key, m.Row)
}

// tear has a row of which the stream has said something be read once more.
func (c *copies) tear(table schema.TableName, key backfill.Key) {
	c.window.Tear(table, key)
	if !c.desks[table].Torn([]string{string(key)}) {
		c.failTorn(table)
	}
}

// readAt is where in the stream rows are delivered that were read.
func (s *session) readAt() schema.Source {
	return schema.Source{CommitLSN: s.assembler.delivered, CommitTime: time.Now().UnixMicro(), Snapshot: schema.SnapshotIncremental}
}
