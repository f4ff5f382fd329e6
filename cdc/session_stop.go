package cdc

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// stopGrace is how long a graceful stop waits for the end of a transaction that is
// half received. After it, the transaction is sent again later.
const stopGrace = 10 * time.Second

// errGraceOver says that a graceful stop has waited long enough.
var errGraceOver = errors.New("the commit under way did not end in time")

// stop ends at the next commit boundary, for which it waits a little.
func (s *session) stop(ctx context.Context) error {
	s.cfg.reach(FailStopping)
	for s.assembler.InTransaction() {
		if s.graceOver(ctx) {
			return s.abandon(ctx)
		}
		grace := time.NewTimer(time.Until(s.giveUp))
		select {
		case batch, open := <-s.stream.Batches():
			grace.Stop()
			if !open {
				return nil
			}
			if err := s.take(ctx, batch); errors.Is(err, errGraceOver) {
				return s.abandon(ctx)
			} else if err != nil {
				return err
			}
		case <-grace.C:
			return s.abandon(ctx)
		}
	}
	if s.mayEnd() {
		return s.end(ctx)
	}
	return nil
}

// graceOver reports whether a graceful stop has waited long enough.
func (s *session) graceOver(ctx context.Context) bool {
	if ctx.Err() == nil {
		return false
	}
	if s.giveUp.IsZero() {
		s.giveUp = time.Now().Add(stopGrace)
	}
	return time.Now().After(s.giveUp)
}

// abandon leaves the commit under way to the next start.
func (s *session) abandon(ctx context.Context) error {
	if err := s.producer.Abort(ctx); err != nil {
		s.log.Warn("the open transaction stays until its timeout", zap.Error(err))
	}
	return nil
}
