package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/catalog"
	"penstock/cdc/format"
	"penstock/cdc/pgoutput"
	"penstock/cdc/spool"
	"penstock/schema"
)

// replyPause limits how often a server that asks for a reply gets a Kafka
// transaction of its own.
const replyPause = time.Second

// session delivers what a stream brings, from a position that the slot's holder
// has found. One goroutine; it ends with the first error.
type session struct {
	cfg       *Config
	stream    *Stream
	producer  *Producer
	catalog   *catalog.Reader
	router    *Router
	decoder   pgoutput.Decoder
	spool     *spool.Spool // holds back streamed transactions; nil if the server does not stream them
	assembler *Assembler
	types     types
	nulls     nulls
	copies    *copies             // the backfills; nil for none
	beats     *beats              // nil for none
	marks     *format.MarkEncoder // nil until the first mark
	log       *zap.Logger

	counter     tableCounter
	undescribed map[uint32]*schema.Relation // announced, by OID, without an event yet

	position schema.Position // committed
	boundary schema.LSN      // where the open Kafka transaction could end; zero if nowhere yet
	marked   bool            // the begin mark of the commit under way is produced

	part        schema.OpenCommit // what a part that ends now would hold, once that is large enough; else zero
	partVersion int64             // of its last change

	held   volume    // in the open Kafka transaction
	commit volume    // of it, what belongs to the commit under way
	began  time.Time // of the open Kafka transaction's first record
	latest time.Time // of its last
	ended  time.Time // of the last Kafka transaction

	giveUp  time.Time // a graceful stop waits for the end of a commit until then; zero before it
	scratch []*kgo.Record
}

// volume is an amount of data records.
type volume struct {
	records int
	bytes   int // of their keys and values
}

func (v *volume) add(records []*kgo.Record) {
	v.records += len(records)
	for _, r := range records {
		v.bytes += len(r.Key) + len(r.Value)
	}
}

func newSession(cfg *Config, stream *Stream, producer *Producer, router *Router, from schema.Position, log *zap.Logger) *session {
	s := &session{
		cfg: cfg, stream: stream, producer: producer, catalog: catalog.New(cfg.connectSQL), router: router, log: log,
		assembler: NewAssembler(from), position: from, marked: !from.Open.IsZero(), ended: time.Now(),
		counter: tableCounter{meter: cfg.meter}, undescribed: map[uint32]*schema.Relation{},
	}
	s.assembler.takes = cfg.Messages.takes
	if cfg.MarkCommits {
		s.assembler.weigh = router.weigh
	}
	return s
}

// run delivers until the stream ends, which is for the stream to explain, or ctx
// does.
func (s *session) run(ctx context.Context) error {
	s.stream.Confirm(s.position.EndLSN)
	s.cfg.meter.begin(s.position)
	if err := s.deliverCopies(ctx); err != nil {
		return err
	}
	for {
		select {
		case batch, open := <-s.stream.Batches():
			if !open {
				return nil
			}
			if err := s.take(ctx, batch); errors.Is(err, errGraceOver) {
				return s.abandon(ctx)
			} else if err != nil {
				return err
			}
		case result := <-s.copies.results():
			if err := s.copied(ctx, &result); err != nil {
				return err
			}
		case word := <-s.copies.heard():
			s.copies.command(&word)
			if err := s.deliverCopies(ctx); err != nil {
				return err
			}
		case <-s.beats.due():
			if stopped, err := s.beat(ctx); stopped || err != nil {
				return err
			}
		case <-s.producer.Lost():
			return s.producer.lostFault()
		case <-ctx.Done():
			return s.stop(ctx)
		}
	}
}

// take delivers a batch and, when nothing else is waiting, ends the Kafka
// transaction at once: latency is low when the load is, and transactions grow
// with it.
func (s *session) take(ctx context.Context, batch Batch) error {
	urgent := false
	for data := batch.data; len(batch.frames) > 0; batch.frames = batch.frames[1:] {
		f := batch.frames[0]
		if err := s.frame(ctx, f, data[:f.length]); err != nil {
			return err
		}
		data = data[f.length:]
		urgent = urgent || f.replyWanted
	}
	if err := s.deliverCopies(ctx); err != nil {
		return err
	}
	if !s.mayEnd() || len(s.stream.Batches()) > 0 {
		return nil
	}
	if s.held.records > 0 {
		return s.end(ctx)
	}
	if s.idleDue(urgent) {
		s.cfg.reach(FailIdle)
		return s.end(ctx)
	}
	return nil
}

func (s *session) frame(ctx context.Context, f frame, data []byte) error {
	switch {
	case f.keepalive:
		step, err := s.assembler.Keepalive(f.walEnd)
		if err != nil {
			return err
		}
		return s.follow(ctx, step)
	case s.spool == nil:
		return s.message(ctx, data)
	}
	if err := s.spool.Take(data); err != nil {
		return err
	}
	for {
		data, err := s.spool.Next()
		if err != nil || data == nil {
			return err
		}
		if s.graceOver(ctx) {
			return errGraceOver
		}
		if err := s.message(ctx, data); err != nil {
			return err
		}
	}
}

func (s *session) message(ctx context.Context, data []byte) error {
	msg, err := s.decoder.Parse(data)
	if err != nil {
		return s.assembler.errorf("%w", err)
	}
	if rel, announced := msg.(*pgoutput.Relation); announced {
		s.undescribed[rel.OID] = rel.Relation
	}
	if err := s.describeWeighed(ctx, msg); err != nil {
		return err
	}
	step, err := s.assembler.Message(msg, data)
	if err == nil {
		err = s.describeUsed(ctx, step.Events)
	}
	if err == nil {
		err = s.refresh(ctx, step.Events)
	}
	if err != nil {
		return err
	}
	return s.follow(ctx, step)
}

// close gives back what the session has opened. What only reads may end as it likes:
// a lost connection is for the stream to explain.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_ = s.catalog.Close(ctx)
	s.beats.stop()
}

// follow does what a step says. A commit is split only when more of it comes, so
// that no part is without a change.
func (s *session) follow(ctx context.Context, step Step) error {
	if len(step.Events) > 0 && !s.part.IsZero() {
		if err := s.splitCommit(ctx); err != nil {
			return err
		}
	}
	if err := s.produce(ctx, step.Events); err != nil {
		return err
	}
	if !step.Boundary.IsZero() {
		return s.reached(ctx, step.Boundary)
	}
	if len(step.Events) > 0 && s.oversized() {
		s.part, s.partVersion = s.assembler.Open(), s.assembler.Version()
	}
	return nil
}

// reached takes note of a commit boundary, and ends the Kafka transaction there
// if it is large or old enough.
func (s *session) reached(ctx context.Context, boundary schema.LSN) error {
	if s.marked || s.commit.records > 0 {
		s.cfg.meter.transaction()
	}
	if s.marked {
		if err := s.mark(ctx, true); err != nil {
			return err
		}
	}
	s.boundary, s.commit, s.part = boundary, volume{}, schema.OpenCommit{}
	if !s.full() {
		return nil
	}
	return s.end(ctx)
}

// oversized reports whether the commit under way is too large for one Kafka
// transaction.
func (s *session) oversized() bool {
	limits := &s.cfg.Limits
	return s.commit.records > limits.SplitRecords || s.commit.bytes > limits.SplitBytes ||
		(s.commit.records > 0 && s.latest.Sub(s.began) >= limits.SplitAge)
}

// splitCommit ends the Kafka transaction within a commit, behind s.part. Postgres
// keeps all of that commit, so it is sent again if the capture does not come to
// its end.
func (s *session) splitCommit(ctx context.Context) error {
	s.cfg.reach(FailSplit)
	if !s.marked {
		if err := s.mark(ctx, false); err != nil {
			return err
		}
	}
	next := s.position
	next.Open, next.Version = s.part, s.partVersion
	if !s.boundary.IsZero() {
		next.EndLSN = s.boundary
	}
	s.part = schema.OpenCommit{}
	return s.write(ctx, next)
}

// mayEnd reports whether the open Kafka transaction holds whole Postgres
// transactions only, and more than the last.
func (s *session) mayEnd() bool { return !s.assembler.InTransaction() && !s.boundary.IsZero() }

func (s *session) full() bool {
	limits := &s.cfg.Limits
	return s.held.records >= limits.Records || s.held.bytes >= limits.Bytes ||
		(s.held.records > 0 && time.Since(s.began) >= limits.Age)
}

// idleDue reports whether it is time to write down that nothing happened, so
// that the slot does not pin the log: now and then, or soon when the server asks.
func (s *session) idleDue(urgent bool) bool {
	since := time.Since(s.ended)
	return since >= s.cfg.Limits.Idle || (urgent && since >= replyPause)
}

// end ends the Kafka transaction at the last boundary.
func (s *session) end(ctx context.Context) error {
	next := s.position
	next.EndLSN, next.Open, next.Version = s.boundary, schema.OpenCommit{}, s.assembler.Version()
	return s.write(ctx, next)
}

// write commits the Kafka transaction with its position, and only then lets the
// server forget what lies before it.
func (s *session) write(ctx context.Context, next schema.Position) error {
	if !forward(s.position, next) {
		return fmt.Errorf("position would not move forward from %+v to %+v", s.position, next)
	}
	return s.commitAt(ctx, next)
}

// commitAt is write, also where a heartbeat alone is written and the position is the last one.
func (s *session) commitAt(ctx context.Context, next schema.Position) error {
	if due := s.beats.take(time.Now()); due != nil {
		if err := s.producer.Produce(ctx, due); err != nil {
			return err
		}
	}
	jobs, err := s.copies.records()
	if err == nil && len(jobs) > 0 {
		err = s.producer.Produce(ctx, jobs)
	}
	if err != nil {
		return err
	}
	if err := s.producer.Commit(ctx, next); err != nil {
		return err
	}
	s.cfg.reach(FailEndTxnAcked)
	s.stream.Confirm(next.EndLSN)
	s.cfg.reach(FailConfirmed)
	s.cfg.meter.deliver(next)
	s.copies.tell()
	if entry := s.log.Check(zap.DebugLevel, "committed"); entry != nil {
		open := time.Duration(0)
		if s.held.records > 0 {
			open = time.Since(s.began)
		}
		entry.Write(zap.Stringer(keyLSN, next.EndLSN), zap.Int(keyRecords, s.held.records), zap.Duration(keyOpen, open))
	}
	s.position, s.boundary, s.held, s.commit, s.ended = next, 0, volume{}, volume{}, time.Now()
	return nil
}
