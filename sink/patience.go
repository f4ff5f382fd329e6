package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"penstock/internal/fault"
)

// The pauses between two attempts: the first, and the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 3 * time.Second
)

// Patience is the one retry loop of the sink and its stores. The zero value
// tries once and logs nothing.
type Patience struct {
	Wait time.Duration // how long to go on without a success
	Log  *zap.Logger   // nil logs nothing
}

// Do calls try until it succeeds, fails with anything but a fault of kind
// Unreachable, or Wait has passed since its first failure; then it returns the
// last failure. It says once that it is waiting for what, and once when that has
// come. When ctx ends, Do returns its cause.
func (p Patience) Do(ctx context.Context, what string, try func(context.Context) error) error {
	log := p.Log
	if log == nil {
		log = zap.NewNop()
	}
	var since time.Time
	for attempt := 0; ; attempt++ {
		err := try(ctx)
		switch {
		case err == nil && attempt > 0:
			log.Info("reached", zap.String(KeyWhat, what), zap.Duration(keyWaited, time.Since(since)))
			return nil
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case fault.KindOf(err) != fault.Unreachable:
			return err
		case attempt == 0:
			since = time.Now()
			log.Info("waiting", zap.String(KeyWhat, what), zap.Duration(keyLimit, p.Wait), zap.Error(err))
		}
		if time.Since(since) >= p.Wait {
			return gaveUp(err, p.Wait)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// gaveUp is the last fault, which others may hold too, with the end of the wait.
func gaveUp(err error, wait time.Duration) error {
	var last *fault.Error
	if !errors.As(err, &last) {
		return err
	}
	out := *last
	out.What = fmt.Sprintf("%s, gave up after %s without success", last.What, wait)
	return &out
}

// pause waits between half and the whole of a pause that doubles with each attempt.
func pause(ctx context.Context, attempt int) error {
	length := min(firstPause<<min(attempt, 10), longestPause)
	timer := time.NewTimer(length/2 + rand.N(length/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
