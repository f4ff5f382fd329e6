package sink

import (
	"context"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
)

// maxReading bounds how many contents one owner reads the events of at once, so
// that their pages stay in memory's bounds.
const maxReading = 16

// owner holds what one partition needs between two batches. One goroutine at a
// time uses it; it is dropped when the partition is revoked.
type owner struct {
	partition int32
	next      int64 // the offset behind what is durable
	tables    Tables
	stores    []Store
	lookup    Lookup

	// cache holds content rows as of the last batch, also those known not to
	// exist. Nobody else changes them while this owner owns the partition.
	cache *otter.Cache[UUID, Content]
	// waiting are the keys whose records wait, each with the id of the dead letter
	// that they wait for.
	waiting map[string]string
	// partitionOf maps a record key to its partition of the input topic.
	partitionOf func(ctx context.Context) (func(key string) int32, error)
}

// apply makes a batch of changes durable in every store. It may be called again
// with the same batch after an error.
func (o *owner) apply(ctx context.Context, batch []change) error {
	for _, segment := range segments(batch) {
		var err error
		if segment[0].truncate != nil {
			err = o.truncate(ctx, &segment[0])
		} else {
			err = o.run(ctx, segment)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run applies changes without truncations: their own side first, then the stored
// events of the contents that changed.
func (o *owner) run(ctx context.Context, changes []change) error {
	groups := groupByContent(changes)
	contents, err := o.contents(ctx, groups)
	if err != nil {
		return err
	}
	var writes []Write
	for id, g := range groups {
		writes = append(writes, g.ownSide(contents[id])...)
	}
	if err := o.write(ctx, coalesce(writes)); err != nil {
		return err
	}
	var reading errgroup.Group
	reading.SetLimit(maxReading)
	for _, g := range groups {
		if g.lookup == nil {
			continue
		}
		reading.Go(func() error {
			return o.lookup.Events(ctx, g.content, func(stored []Stored) error {
				return o.write(ctx, g.otherSide(stored))
			})
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	for id, content := range contents {
		o.cache.Set(id, content)
	}
	return nil
}

// contents returns the content row of every group as it stands after the run.
func (o *owner) contents(ctx context.Context, groups map[UUID]*group) (map[UUID]Content, error) {
	contents := make(map[UUID]Content, len(groups))
	var unknown []UUID
	for id, g := range groups {
		if g.lookup != nil {
			contents[id] = *g.lookup
		} else if g.needsContent() {
			cached, found := o.cache.GetIfPresent(id)
			if !found {
				unknown = append(unknown, id)
				continue
			}
			contents[id] = cached
		}
	}
	if len(unknown) == 0 {
		return contents, nil
	}
	rows, err := o.lookup.Contents(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, id := range unknown {
		contents[id] = rows[i]
	}
	return contents, nil
}

// write applies the writes to all stores at once and waits for all of them. An
// error that waiting cannot mend is preferred over one that it can.
func (o *owner) write(ctx context.Context, writes []Write) error {
	if len(writes) == 0 {
		return nil
	}
	for _, store := range o.stores {
		if checker, knows := store.(Checker); knows {
			if err := checker.Check(writes); err != nil {
				return err
			}
		}
	}
	errs := make([]error, len(o.stores))
	var storing errgroup.Group
	for i, store := range o.stores {
		storing.Go(func() error {
			errs[i] = store.Apply(ctx, writes)
			return nil
		})
	}
	_ = storing.Wait() // the errors are in errs
	var transient error
	for _, err := range errs {
		switch {
		case err == nil:
		case fault.KindOf(err) == fault.Unreachable:
			transient = err
		default:
			return err
		}
	}
	return transient
}
