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
func (y *tally) copy(ctx context.Context, batch []change, write func(context.Context, []Write) error) (err error) {
	if y == nil {
		return nil
	}
	y.settling.Lock()
	defer y.settling.Unlock()
	at := y.from.after(batch)
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
			writes, err := y.asKept(ctx, join, some, at)
			if err != nil {
				return err
			}
			return write(ctx, writes)
		})
	}
	if err := copying.Wait(); err != nil {
		return err
	}
	y.from = at
	return nil
}

// asKept are the writes of a join value's totals, of some hours or all, as the history has them. What it
// has not was empty for so long that it is forgotten.
func (y *tally) asKept(ctx context.Context, join plan.Value, hours []int64, at stamp) (writes []Write, err error) {
	missing := map[int64]bool{totals.Whole: true}
	for _, hour := range hours {
		missing[hour] = true
	}
	put := func(v *totals.Value) {
		if v.Hour != totals.Whole {
			v.Changed = everyMinute
		}
		writes = append(writes, Write{Action: PutTotals, Version: v.Version, Totals: v})
	}
	err = y.reader.Totals(ctx, join, hours, func(v *totals.Value) error {
		kept := *v
		put(&kept)
		delete(missing, v.Hour)
		return nil
	})
	for hour := range missing {
		put(&totals.Value{ID: totals.ID{Join: join, Hour: hour}, Partition: y.partition, Offset: at.offset, Version: at.version})
	}
	return writes, err
}
