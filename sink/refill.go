package sink

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
	"penstock/sink/plan"
)

// History is a [Lookup] that can be read as a whole.
type History interface {
	Lookup
	// ScanHistory visits every stream row, once, in pages as Rows does, one page at a time.
	ScanHistory(ctx context.Context, visit func([]plan.Stored) error) error
}

// refilling is how many pages of a history are joined and written at once.
const refilling = 4

// Refill writes the result into a store again, from the history and the lookup
// rows: every row as it was written last, at the same version, so that what the
// store has, or something newer, stays. What the store has and the history has not is left there, for
// nobody knows when it went. Rows may change meanwhile: the newer wins.
//
// report, which may be nil, is called with the rows that were read, by one goroutine at a time.
// Errors are faults, classed as for [Store].
func Refill(ctx context.Context, p *plan.Plan, from History, into Store, report func(ReplayProgress)) error {
	r := &refill{plan: p, from: from, into: into}
	var working errgroup.Group
	working.SetLimit(refilling)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // guards done
	var done int64
	err := from.ScanHistory(ctx, func(page []plan.Stored) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rows := append([]plan.Stored(nil), page...)
		working.Go(func() error {
			if err := r.page(ctx, rows); err != nil {
				stop(err)
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if done += int64(len(rows)); report != nil {
				report(ReplayProgress{Done: done})
			}
			return nil
		})
		return nil
	})
	if failed := working.Wait(); failed != nil {
		return failed
	}
	return err
}

type refill struct {
	plan *plan.Plan
	from History
	into Store
}

// page joins stored rows and writes them.
func (r *refill) page(ctx context.Context, stored []plan.Stored) error {
	var joins []plan.Value
	at := make(map[plan.Value]int)
	for i := range stored {
		join := stored[i].Row[r.plan.Join]
		if _, known := at[join]; !known && !join.IsNull() {
			at[join] = len(joins)
			joins = append(joins, join)
		}
	}
	lookups, err := r.from.LookupRows(ctx, joins)
	if err != nil {
		return err
	}
	writes := make([]Write, 0, len(stored))
	for i := range stored {
		var lookup plan.LookupRow
		if n, known := at[stored[i].Row[r.plan.Join]]; known {
			lookup = lookups[n]
		}
		passes, err := r.join(stored[i].Row, &lookup)
		if err != nil {
			return &fault.Error{
				Kind: fault.Runtime, Where: fmt.Sprintf("pipeline %s: row %s", r.plan.Name, keyWords(r.plan, stored[i].Row)), Err: err,
				What: "a row of the history cannot be computed", Why: "its lookup row is that of a dead letter, or the expressions are others since",
				Fix: "replay --from kafka",
			}
		}
		if passes {
			writes = append(writes, Write{Action: Put, Version: stored[i].Version, Row: stored[i].Row})
		}
	}
	return r.into.Apply(ctx, writes)
}

// join computes a row as the sink does, and reports whether it belongs to the result.
func (r *refill) join(row plan.Row, lookup *plan.LookupRow) (passes bool, err error) {
	if err := r.plan.Derive(row); err != nil {
		return false, err
	}
	if err := r.plan.Enrich(row, lookup); err != nil {
		return false, err
	}
	return r.plan.Passes(row)
}
