package sink

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// breakCalls is how many calls of a store have to fail in a row before its breaker
// opens, beside the time that [Config] has.
const breakCalls = 3

// breaker is the circuit breaker of one store: closed, every call goes through;
// open, none does; when a pause has passed one call does, as the probe that closes
// it or doubles the pause. It is every owner's, and used concurrently.
type breaker struct {
	name  string
	after time.Duration // how long calls fail before it opens
	log   *zap.Logger

	mu sync.Mutex
	// Guarded by mu.
	failures int       // in a row
	since    time.Time // of the first of them
	open     bool
	probing  bool      // a call is on its way
	opened   int       // pauses since it opened
	retry    time.Time // when the next probe may go
	last     error     // of the last failure
	said     bool      // that it is open for long
}

// errBroken is the error of a call that was not made.
type errBroken struct{ last error }

func (e errBroken) Error() string { return "not asked, as it does not answer: " + e.last.Error() }
func (e errBroken) Unwrap() error { return e.last }

// do makes a call, or does not.
func (b *breaker) do(ctx context.Context, call func(context.Context) error) error {
	if err := b.enter(); err != nil {
		return err
	}
	err := call(ctx)
	b.leave(ctx, err)
	return err
}

func (b *breaker) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return nil
	}
	if b.probing || time.Now().Before(b.retry) {
		return errBroken{b.last}
	}
	b.probing = true
	return nil
}

// leave notes what has become of a call. Any answer says that the store is there.
func (b *breaker) leave(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch {
	case err != nil && ctx.Err() != nil: // it was broken off
		return
	case err == nil || fault.KindOf(err) != fault.Unreachable:
		if b.open {
			b.log.Info("store answers again", zap.String(keyStore, b.name), zap.Duration(keyWaited, time.Since(b.since)))
		}
		b.failures, b.open, b.opened, b.said = 0, false, 0, false
		return
	case b.failures == 0:
		b.since = time.Now()
	}
	b.last = err
	b.failures++
	if !b.open && (b.failures < breakCalls || time.Since(b.since) < b.after) {
		return
	}
	if !b.open {
		b.open = true
		b.log.Info("store does not answer", zap.String(keyStore, b.name), zap.Error(err))
	}
	length := min(firstPause<<min(b.opened+breakCalls, 10), longestPause)
	b.opened++
	b.retry = time.Now().Add(length/2 + rand.N(length/2+1))
}

// isOpen reports whether calls are not made, and whether the next one may be the probe.
func (b *breaker) isOpen() (open, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open, !b.open || !b.probing && !time.Now().Before(b.retry)
}

// overdue returns once for each time that it is open for longer than a limit what the store fails with.
func (b *breaker) overdue(limit time.Duration) (since time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || b.said || time.Since(b.since) < limit {
		return time.Time{}, nil
	}
	b.said = true
	return b.since, b.last
}

// failure is what the store failed with last.
func (b *breaker) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// guarded is a store behind its breaker.
type guarded struct {
	Store
	*breaker
	reads bool // the join reads what it has
}

// Name is the store's.
func (g *guarded) Name() string { return g.Store.Name() }

// Apply is the store's, if the breaker lets it through.
func (g *guarded) Apply(ctx context.Context, writes []Write) error {
	return g.do(ctx, func(ctx context.Context) error { return g.Store.Apply(ctx, writes) })
}

// guardedLookup is what is read back, behind the breaker of the store that it is read from.
type guardedLookup struct {
	Lookup
	*breaker
}

// LookupRows is as [Lookup] says.
func (g *guardedLookup) LookupRows(ctx context.Context, joins []plan.Value) (rows []plan.LookupRow, err error) {
	err = g.do(ctx, func(ctx context.Context) (err error) {
		rows, err = g.Lookup.LookupRows(ctx, joins)
		return err
	})
	return rows, err
}

// Rows is as [Lookup] says.
func (g *guardedLookup) Rows(ctx context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	return g.scan(ctx, func(ctx context.Context, visited func(error) error) error {
		return g.Lookup.Rows(ctx, join, after, func(page []plan.Stored, bookmark []byte) error { return visited(visit(page, bookmark)) })
	})
}

// Joins is as [Lookup] says.
func (g *guardedLookup) Joins(ctx context.Context, visit func([]plan.Value) error) error {
	return g.scan(ctx, func(ctx context.Context, visited func(error) error) error {
		return g.Lookup.Joins(ctx, func(page []plan.Value) error { return visited(visit(page)) })
	})
}

// guardedTotals is a guardedLookup that reads totals, too.
type guardedTotals struct {
	*guardedLookup
	reader TotalsReader
}

// Hour is as [TotalsReader] says.
func (g guardedTotals) Hour(ctx context.Context, join plan.Value, hour int64, visit func([]plan.Stored) error) error {
	return g.scan(ctx, func(ctx context.Context, visited func(error) error) error {
		return g.reader.Hour(ctx, join, hour, func(page []plan.Stored) error { return visited(visit(page)) })
	})
}

// Totals is as [TotalsReader] says.
func (g guardedTotals) Totals(ctx context.Context, join plan.Value, hours []int64, visit func(*totals.Value) error) error {
	return g.scan(ctx, func(ctx context.Context, visited func(error) error) error {
		return g.reader.Totals(ctx, join, hours, func(v *totals.Value) error { return visited(visit(v)) })
	})
}

// scan makes a call that calls back: what the visit fails of is not the store's.
func (g *guardedLookup) scan(ctx context.Context, call func(context.Context, func(error) error) error) error {
	var visiting error
	err := g.do(ctx, func(ctx context.Context) error {
		err := call(ctx, func(err error) error {
			visiting = err
			return err
		})
		if visiting != nil {
			err = nil
		}
		return err
	})
	if visiting != nil {
		return visiting
	}
	return err
}

// guard puts the stores and the lookup, which reads what the first of them writes, behind breakers.
func guard(cfg *Config, lookup Lookup, stores []Store, log *zap.Logger) (Lookup, []Store) {
	out := make([]Store, len(stores))
	var first *breaker
	for i, store := range stores {
		b := &breaker{name: store.Name(), after: cfg.BreakAfter, log: log}
		if i == 0 {
			first = b
		}
		out[i] = &guarded{Store: store, breaker: b, reads: i == 0}
	}
	behind := &guardedLookup{lookup, first}
	if reader, counts := lookup.(TotalsReader); counts {
		return guardedTotals{behind, reader}, out
	}
	return behind, out
}

// checkers are those of the stores that know what they refuse.
func checkers(stores []Store) (list []Checker) {
	for _, store := range stores {
		if g, isGuarded := store.(*guarded); isGuarded {
			store = g.Store
		}
		if checker, knows := store.(Checker); knows {
			list = append(list, checker)
		}
	}
	return list
}
