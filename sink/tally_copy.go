package sink

import (
	"context"

	"golang.org/x/sync/errgroup"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

// everyMinute is [totals.Value.Changed] of an hour of which nothing is known.
const everyMinute = 1<<60 - 1

// copy writes the totals that a batch touched, and those that a batch before it did that failed, as the
// history has them: whoever settles them there has come as far. What is made of the history's
// rows here may be neither what it has nor newer, and would need a version that nobody else knows.
func (y *tally) copy(ctx context.Context, write func(context.Context, []Write) error) (err error) {
	if y == nil {
		return nil
	}
	y.settling.Lock()
	defer y.settling.Unlock()
	due, done := y.due()
	defer func() { done(err) }()
	hours := make(map[plan.Value][]int64)
	for id := range due.ids {
		hours[id.Join] = append(hours[id.Join], id.Hour)
	}
	for join := range due.cleared {
		hours[join] = nil // all
	}
	copying, ctx := errgroup.WithContext(ctx)
	copying.SetLimit(maxReading)
	for join, some := range hours {
		copying.Go(func() error {
			writes, err := y.asKept(ctx, join, some)
			if err != nil {
				return err
			}
			return write(ctx, writes)
		})
	}
	return copying.Wait()
}

// asKept are the writes of a join value's totals, of some hours or all, as the history has them. What it has not
// was never settled, for the rows came and went within a batch, or has been empty for so long that it is forgotten.
func (y *tally) asKept(ctx context.Context, join plan.Value, hours []int64) (writes []Write, err error) {
	err = y.reader.Totals(ctx, join, hours, func(v *totals.Value) error {
		kept := *v
		if kept.Hour != totals.Whole {
			kept.Changed = everyMinute
		}
		writes = append(writes, Write{Action: PutTotals, Version: kept.Version, Totals: &kept})
		return nil
	})
	return writes, err
}
