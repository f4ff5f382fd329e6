package cdc

import (
	"context"
	"errors"
	"time"

	"penstock/schema"
)

func (s *session) produce(ctx context.Context, events []schema.Event) error {
	if len(events) == 0 {
		return nil
	}
	now := time.Now()
	for i := range events {
		s.copies.note(&events[i])
		if err := s.route(ctx, &events[i], now); err != nil {
			return err
		}
	}
	return s.send(ctx, now)
}

// route makes the records of an event, which has to be sent before another batch of the stream is.
func (s *session) route(ctx context.Context, e *schema.Event, now time.Time) (err error) {
	s.counter.count(e)
	if s.scratch, err = s.router.Route(ctx, s.scratch, e, now.UnixMicro()); err != nil {
		s.scratch = s.scratch[:0]
		return s.keepComplete(ctx, err)
	}
	return nil
}

// send produces the records that were made at a time.
func (s *session) send(ctx context.Context, now time.Time) error {
	first := s.held.records == 0
	if s.cfg.MarkCommits && !s.marked && s.assembler.InTransaction() {
		if err := s.mark(ctx, false); err != nil {
			return err
		}
	}
	if first {
		s.began = now
	}
	s.latest = now
	for _, r := range s.scratch {
		r.Timestamp = now
	}
	s.held.add(s.scratch)
	s.commit.add(s.scratch)
	var err error
	if len(s.scratch) > 0 {
		s.scratch, err = s.router.remember(s.scratch)
	}
	if err == nil {
		err = s.producer.Produce(ctx, s.scratch)
	}
	s.scratch = s.scratch[:0]
	if first {
		s.cfg.reach(FailProduced)
	}
	return err
}

// keepComplete ends the Kafka transaction before a change that cannot be delivered,
// unless it holds a part of that change's commit: what is complete need not wait for
// whoever has to decide, and is not sent again together with it.
func (s *session) keepComplete(ctx context.Context, err error) error {
	if s.held.records == 0 || s.commit.records > 0 || s.marked || s.boundary.IsZero() {
		return err
	}
	return errors.Join(err, s.end(ctx))
}
