package cdc

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

const (
	// stopGrace is how long a graceful stop waits for the end of a transaction
	// that is half received. After it, the transaction is sent again later.
	stopGrace = 10 * time.Second
	// replyPause limits how often a server that asks for a reply gets a Kafka
	// transaction of its own.
	replyPause = time.Second
)

// session delivers what a stream brings, from a position that the slot's holder
// has found. One goroutine; it ends with the first error.
type session struct {
	limits    Limits
	stream    *Stream
	producer  *Producer
	router    *Router
	decoder   pgoutput.Decoder
	assembler *Assembler
	log       *zap.Logger

	position schema.Position // committed
	boundary schema.LSN      // where the open Kafka transaction could end; zero if nowhere yet
	records  int             // data records in the open Kafka transaction
	bytes    int
	began    time.Time // its first record
	ended    time.Time // of the last commit

	scratch []*kgo.Record
}

func newSession(limits Limits, stream *Stream, producer *Producer, router *Router, from schema.Position, log *zap.Logger) *session {
	return &session{
		limits: limits, stream: stream, producer: producer, router: router, log: log,
		assembler: NewAssembler(from), position: from, ended: time.Now(),
	}
}

// run delivers until the stream ends, which is for the stream to explain, or ctx
// does.
func (s *session) run(ctx context.Context) error {
	s.stream.Confirm(s.position.EndLSN)
	for {
		select {
		case batch, open := <-s.stream.Batches():
			if !open {
				return nil
			}
			if err := s.take(ctx, batch); err != nil {
				return err
			}
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
		step, err := s.step(f, data[:f.length])
		if err != nil {
			return err
		}
		data = data[f.length:]
		urgent = urgent || f.replyWanted
		if err := s.produce(ctx, step.Events); err != nil {
			return err
		}
		if step.Boundary.IsZero() {
			continue
		}
		s.boundary = step.Boundary
		if s.full() {
			if err := s.commit(ctx); err != nil {
				return err
			}
		}
	}
	if s.mayEnd() && len(s.stream.Batches()) == 0 && (s.records > 0 || s.idleDue(urgent)) {
		return s.commit(ctx)
	}
	return nil
}

func (s *session) step(f frame, data []byte) (Step, error) {
	if f.keepalive {
		return s.assembler.Keepalive(f.walEnd), nil
	}
	msg, err := s.decoder.Parse(data)
	if err != nil {
		return Step{}, s.assembler.errorf("%w", err)
	}
	return s.assembler.Message(msg)
}

func (s *session) produce(ctx context.Context, events []schema.Event) error {
	if len(events) == 0 {
		return nil
	}
	now := time.Now()
	if s.records == 0 {
		s.began = now
	}
	s.scratch = s.scratch[:0]
	for i := range events {
		var err error
		if s.scratch, err = s.router.Route(s.scratch, &events[i], now.UnixMicro()); err != nil {
			return err
		}
	}
	for _, r := range s.scratch {
		s.bytes += len(r.Key) + len(r.Value)
	}
	s.records += len(s.scratch)
	return s.producer.Produce(ctx, s.scratch)
}

// mayEnd reports whether the open Kafka transaction holds whole Postgres
// transactions only, and more than the last.
func (s *session) mayEnd() bool { return !s.assembler.InTransaction() && !s.boundary.IsZero() }

func (s *session) full() bool {
	return s.records >= s.limits.Records || s.bytes >= s.limits.Bytes ||
		(s.records > 0 && time.Since(s.began) >= s.limits.Age)
}

// idleDue reports whether it is time to write down that nothing happened, so
// that the slot does not pin the log: now and then, or soon when the server asks.
func (s *session) idleDue(urgent bool) bool {
	since := time.Since(s.ended)
	return since >= s.limits.Idle || (urgent && since >= replyPause)
}

// commit ends the Kafka transaction at the last boundary, and only then lets the
// server forget what lies before it.
func (s *session) commit(ctx context.Context) error {
	next := s.position
	next.EndLSN, next.Version = s.boundary, s.assembler.Version()
	if next.EndLSN < s.position.EndLSN || next.Version < s.position.Version {
		return fmt.Errorf("position would go back from %+v to %+v", s.position, next)
	}
	if err := s.producer.Commit(ctx, next); err != nil {
		return err
	}
	s.stream.Confirm(next.EndLSN)
	if entry := s.log.Check(zap.DebugLevel, "committed"); entry != nil {
		open := time.Duration(0)
		if s.records > 0 {
			open = time.Since(s.began)
		}
		entry.Write(zap.Stringer(keyLSN, next.EndLSN), zap.Int(keyRecords, s.records), zap.Duration(keyOpen, open))
	}
	s.position, s.boundary, s.records, s.bytes, s.ended = next, 0, 0, 0, time.Now()
	return nil
}

// stop ends at the next commit boundary, for which it waits a little.
func (s *session) stop(ctx context.Context) error {
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for s.assembler.InTransaction() {
		select {
		case batch, open := <-s.stream.Batches():
			if !open {
				return nil
			}
			if err := s.take(ctx, batch); err != nil {
				return err
			}
		case <-grace.C:
			if err := s.producer.Abort(ctx); err != nil {
				s.log.Warn("the open transaction stays until its timeout", zap.Error(err))
			}
			return nil
		}
	}
	if s.mayEnd() {
		return s.commit(ctx)
	}
	return nil
}
