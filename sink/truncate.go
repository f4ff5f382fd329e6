package sink

import (
	"context"

	"golang.org/x/sync/errgroup"

	"penstock/sink/plan"
)

// truncate applies a table's truncation, which comes to every partition, to what
// lies in this one. Whatever of the table is older lies before the truncation in
// its partition, so the owners together remove all of it. A key that waits is left
// out: it is truncated when it is released, behind what waits before.
func (o *owner) truncate(ctx context.Context, c *change) error {
	if err := o.whole(); err != nil {
		return err
	}
	partitionOf, err := o.partitionOf(ctx)
	if err != nil {
		return err
	}
	if *c.truncate == o.plan.Lookup {
		// An attempt that failed may have deleted lookup rows, which the next one then does not find.
		o.cache.InvalidateAll()
	}
	return o.lookup.Joins(ctx, func(joins []plan.Value) error {
		owned := make([]plan.Value, 0, len(joins))
		for _, join := range joins {
			key := plan.KeyText(join)
			if c.only != nil && *c.only != key || c.but[key] {
				continue
			}
			if partitionOf(key) == o.partition {
				owned = append(owned, join)
			}
		}
		if *c.truncate == o.plan.Lookup {
			return o.deleteLookups(ctx, c.version, owned)
		}
		return o.clearRows(ctx, c.version, owned)
	})
}

// deleteLookups does what a delete of each lookup row at version would do.
func (o *owner) deleteLookups(ctx context.Context, version int64, joins []plan.Value) error {
	deletes := make([]change, 0, len(joins))
	for _, join := range joins {
		if !join.IsNull() {
			deletes = append(deletes, change{version: version, lookup: &plan.LookupRow{Key: join, Version: version}})
		}
	}
	if len(deletes) == 0 {
		return nil
	}
	return o.run(ctx, deletes)
}

// clearRows removes the rows of each join value. The history goes last: until
// then a replay finds the rows by it.
func (o *owner) clearRows(ctx context.Context, version int64, joins []plan.Value) error {
	var reading errgroup.Group
	reading.SetLimit(maxReading)
	for _, join := range joins {
		reading.Go(func() error {
			return o.lookup.Rows(ctx, join, nil, func(stored []plan.Stored, _ []byte) error {
				return o.write(ctx, truncated(o.plan, version, stored))
			})
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	writes := make([]Write, len(joins))
	for i, join := range joins {
		writes[i] = Write{Action: ClearHistory, Version: version, Join: join}
	}
	return o.write(ctx, writes)
}
