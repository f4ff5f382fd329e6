package sink

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

// loadWholes reads what was written of the join values that are not kept.
func (y *tally) loadWholes(ctx context.Context, ids []touch) error {
	var mu sync.Mutex // guards y.wholes while they are read
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(maxReading)
	for i, id := range ids {
		if i > 0 && ids[i-1].Join == id.Join {
			continue
		}
		mu.Lock()
		kept := y.wholes[id.Join]
		mu.Unlock()
		if kept != nil {
			kept.used = y.turn
			continue
		}
		reading.Go(func() error {
			w, err := y.readWhole(ctx, id.Join)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				y.wholes[id.Join] = w
			}
			return err
		})
	}
	return reading.Wait()
}

// loadCells reads the cells that are not kept.
func (y *tally) loadCells(ctx context.Context, ids []touch) error {
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(maxReading)
	for _, id := range ids {
		y.mu.Lock()
		kept := y.cells[id.ID]
		if kept != nil {
			kept.used = y.turn
		}
		y.mu.Unlock()
		if kept != nil {
			continue
		}
		fresh := &cell{used: y.turn, fresh: id.writes}
		fresh.Anew(y.wholes[id.Join].hours[id.Hour].version)
		reading.Go(func() error {
			err := y.reader.Hour(ctx, id.Join, id.Hour, func(rows []plan.Stored) error {
				for i := range rows {
					fresh.Load(y.plan, rows[i].Row, rows[i].Version)
				}
				return nil
			})
			y.mu.Lock()
			defer y.mu.Unlock()
			if y.ids[id.ID] == 0 {
				y.cells[id.ID] = fresh
			}
			return err
		})
	}
	return reading.Wait()
}

// readWhole adds up the hours of a join value.
func (y *tally) readWhole(ctx context.Context, join plan.Value) (*whole, error) {
	w := &whole{hours: make(map[int64]part), used: y.turn}
	err := y.reader.Totals(ctx, join, nil, func(v *totals.Value) error {
		p := part{sums: v.Sums, digest: v.Digest(), stamp: stamp{offset: v.Offset, version: v.Version}, partition: v.Partition}
		if v.Hour == totals.Whole {
			w.last = p
			return nil
		}
		w.hours[v.Hour] = p
		w.sums.Add(&v.Sums, 1)
		return w.sketch.Merge(v.Sketch)
	})
	return w, err
}

// resketch counts the users of a join value anew.
func (y *tally) resketch(ctx context.Context, join plan.Value) error {
	w := y.wholes[join]
	w.sketch, w.left = totals.Sketch{}, 0
	return y.reader.Totals(ctx, join, nil, func(v *totals.Value) error {
		if v.Hour == totals.Whole {
			return nil
		}
		return w.sketch.Merge(v.Sketch)
	})
}
