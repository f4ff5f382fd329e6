package cassandra

import (
	"context"
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"penstock/sink/plan"
)

// ReadTable reads rows of a table of the plan by their keys, side by side, as ScanTable
// does; what is not there is nil. A key is the values of the key's columns as
// [Kept] has them.
func (s *Store) ReadTable(ctx context.Context, of *plan.Table, keys [][]plan.Value) ([]*Kept, error) {
	t := s.tableOf(of)
	query := "SELECT " + t.whole() + " FROM " + t.name + " WHERE " + equal(t.Columns[:t.Partition+t.Clustering])
	rows := make([]*Kept, len(keys))
	err := s.each(ctx, len(keys), func(ctx context.Context, i int) error {
		into := newWhole(t)
		kept, err := into.scan(scanOne{s.session.Query(query, t.bound(nil, keys[i])...).Idempotent(true), ctx})
		if errors.Is(err, gocql.ErrNotFound) {
			return nil
		}
		if err != nil {
			return s.fault("read a row of "+t.name, err)
		}
		rows[i] = kept
		return nil
	})
	return rows, err
}

// RemoveKept deletes rows of a table of the plan by their keys, each as of a timestamp
// in microseconds: what was written at a higher one stays.
func (s *Store) RemoveKept(ctx context.Context, of *plan.Table, keys [][]plan.Value, at []int64) error {
	t := s.tableOf(of)
	return s.each(ctx, len(keys), func(ctx context.Context, i int) error {
		return s.exec(ctx, []gocql.BatchEntry{entry(t.remove, t.bound([]any{at[i]}, keys[i])...)})
	})
}

// each does n things, as many at once as statements may be in work.
func (s *Store) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// scanOne has one row, as a scanner has many.
type scanOne struct {
	query *gocql.Query
	ctx   context.Context //nolint:containedctx // of one call
}

func (o scanOne) Scan(dest ...any) error { return o.query.ScanContext(o.ctx, dest...) }

// bound appends the values of a key, as they were read, to be bound again.
func (t *table) bound(dst []any, key []plan.Value) []any {
	for i, v := range key {
		switch c := &t.Columns[i]; c.Form {
		case plan.Bucket:
			dst = append(dst, int16(v.Int()))
		case plan.Day:
			dst = append(dst, time.UnixMicro(v.Int()).UTC())
		case plan.Plain, plan.Micros, plan.OrZero, plan.Joined:
			dst = append(dst, arg(c.Form, v))
		}
	}
	return dst
}
