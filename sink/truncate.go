package sink

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// truncate applies a table's truncation, which comes to every partition, to what
// lies in this one. Whatever of the table is older lies before the truncation in
// its partition, so the owners together remove all of it. A key that waits is left
// out: it is truncated when it is released, behind what waits before.
func (o *owner) truncate(ctx context.Context, c *change) error {
	partitionOf, err := o.partitionOf(ctx)
	if err != nil {
		return err
	}
	if *c.truncate == o.tables.Lookup {
		// An attempt that failed may have deleted contents, which the next one then does not find.
		o.cache.InvalidateAll()
	}
	return o.lookup.ContentIDs(ctx, func(ids []UUID) error {
		owned := make([]UUID, 0, len(ids))
		for _, id := range ids {
			key := keyOf(id)
			if c.only != nil && *c.only != key || c.but[key] {
				continue
			}
			if partitionOf(key) == o.partition {
				owned = append(owned, id)
			}
		}
		if *c.truncate == o.tables.Lookup {
			return o.deleteContents(ctx, c.version, owned)
		}
		return o.clearEvents(ctx, c.version, owned)
	})
}

// keyOf is the record key of a content's partition; events without content have
// the empty key.
func keyOf(content UUID) string {
	if content.IsZero() {
		return ""
	}
	return content.String()
}

// deleteContents does what a delete of each content row at version would do.
func (o *owner) deleteContents(ctx context.Context, version int64, ids []UUID) error {
	deletes := make([]change, 0, len(ids))
	for _, id := range ids {
		if !id.IsZero() {
			deletes = append(deletes, change{version: version, lookup: &Content{ID: id, Version: version}})
		}
	}
	if len(deletes) == 0 {
		return nil
	}
	return o.run(ctx, deletes)
}

// clearEvents removes the events of each content. The history goes last: until
// then a replay finds the events by it.
func (o *owner) clearEvents(ctx context.Context, version int64, ids []UUID) error {
	var reading errgroup.Group
	reading.SetLimit(maxReading)
	for _, id := range ids {
		reading.Go(func() error {
			return o.lookup.Events(ctx, id, func(stored []Stored) error {
				return o.write(ctx, truncated(version, stored))
			})
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	writes := make([]Write, len(ids))
	for i, id := range ids {
		writes[i] = clearHistory(version, id)
	}
	return o.write(ctx, writes)
}
