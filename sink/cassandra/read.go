package cassandra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"penstock/sink"
	"penstock/sink/plan"
)

// pageRows is how many rows a page of a scan holds.
const pageRows = 1000

// Read returns the row of the result that has the key of another, as the plan's
// last view has it, and whether there is one. Slots that it does not keep are
// NULL. Errors are classed as for [sink.Store].
func (s *Store) Read(ctx context.Context, key plan.Row) (row plan.Stored, found bool, err error) {
	view := &s.cql.views[len(s.cql.views)-1]
	into := newScanned(view)
	columns := view.Columns[:view.Partition+view.Clustering]
	err = s.session.Query(view.one, args(nil, s.plan, columns, key)...).Idempotent(true).ScanContext(ctx, into.next()...)
	if errors.Is(err, gocql.ErrNotFound) {
		return plan.Stored{}, false, nil
	}
	if err == nil {
		row = plan.Stored{Row: s.plan.NewRow(), Version: into.version}
		err = into.fill(row.Row, 0)
	}
	if err != nil {
		return plan.Stored{}, false, s.fault("read a row of "+view.name, err)
	}
	return row, true, nil
}

// Kept lists the slots that [Store.Read] gives back.
func (s *Store) Kept() []int { return s.plan.Views[len(s.plan.Views)-1].Kept() }

// Rows visits the history of one join value, bucket by bucket; the days of the
// preset come in the order of time. A bookmark that the node does not take, such as another version's,
// is given up for the first page. See [sink.Lookup].
func (s *Store) Rows(ctx context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	buckets, err := s.bucketsOf(ctx, join)
	if err != nil {
		return err
	}
	first, state := placeOf(after, buckets)
	visited := false
	err = s.rowsFrom(ctx, join, buckets[first:], state, func(page []plan.Stored, bookmark []byte) error {
		visited = true
		return visit(page, bookmark)
	})
	if len(state) == 0 || visited || !isInvalid(err) {
		return err
	}
	s.log.Info("a bookmark is refused: begins with the first page", zap.String(sink.KeyWhat, "cassandra at "+s.address), zap.Error(err))
	return s.rowsFrom(ctx, join, buckets, nil, visit)
}

// isInvalid reports whether err is a node's answer that it does not understand a request.
func isInvalid(err error) bool {
	answer, answered := errors.AsType[gocql.RequestError](err)
	return answered && (answer.Code() == gocql.ErrCodeProtocol || answer.Code() == gocql.ErrCodeInvalid)
}

// rowsFrom visits the rows of buckets, from a page of the first on.
func (s *Store) rowsFrom(ctx context.Context, join plan.Value, buckets []any, state []byte, visit func([]plan.Stored, []byte) error) (err error) {
	page := make([]plan.Stored, 0, 2*pageRows)
	for i, bucket := range buckets {
		for {
			if page, state, err = s.rowsOf(ctx, page, join, bucket, state); err != nil {
				return err
			}
			last := len(state) == 0 && i == len(buckets)-1
			if len(page) >= pageRows || last && len(page) > 0 {
				if err := visit(page, bookmark(bucket, state)); err != nil {
					return err
				}
				page = page[:0]
			}
			if len(state) == 0 {
				break
			}
		}
	}
	return nil
}

// rowsOf appends a page of a bucket, and returns where the next one begins, empty for none.
func (s *Store) rowsOf(ctx context.Context, page []plan.Stored, join plan.Value, bucket any, state []byte) (rows []plan.Stored, next []byte, err error) {
	iter := s.session.Query(s.cql.history.some, s.joinArg(join), bucket).Idempotent(true).PageSize(pageRows).PageState(state).IterContext(ctx)
	next = slices.Clone(iter.PageState())
	into := newScanned(&s.cql.history)
	for range iter.NumRows() {
		row := s.plan.NewRow()
		if !iter.Scan(into.next()...) {
			break
		}
		if err := into.fill(row, 0); err != nil {
			return nil, nil, errors.Join(s.fault("read history", err), iter.Close())
		}
		page = append(page, plan.Stored{Row: row, Version: into.version})
	}
	if err := iter.Close(); err != nil {
		return nil, nil, s.fault("read history", err)
	}
	return page, next, nil
}

// bookmark is a place in the rows of a join value: a bucket, and Cassandra's own mark of the page behind
// it, empty behind its last.
func bookmark(bucket any, state []byte) []byte {
	return append([]byte(bucketText(bucket)+" "), state...)
}

// placeOf finds a bookmark among the buckets: the first of them to be read, and its page.
func placeOf(bookmark []byte, buckets []any) (first int, state []byte) {
	text, state, found := bytes.Cut(bookmark, []byte(" "))
	at := slices.IndexFunc(buckets, func(bucket any) bool { return bucketText(bucket) == string(text) })
	switch {
	case !found || at < 0:
		return 0, nil
	case len(state) == 0:
		return at + 1, nil
	}
	return at, state
}

func bucketText(bucket any) string {
	if day, ok := bucket.(time.Time); ok {
		return day.UTC().Format(time.DateOnly)
	}
	return fmt.Sprint(bucket)
}

// joinArg is the bound value of the history's join column.
func (s *Store) joinArg(join plan.Value) any { return arg(s.plan.History.Columns[0].Form, join) }

// LookupRows reads the lookup rows side by side. See [sink.Lookup].
func (s *Store) LookupRows(ctx context.Context, joins []plan.Value) ([]plan.LookupRow, error) {
	rows := make([]plan.LookupRow, len(joins))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for i, join := range joins {
		group.Go(func() error {
			var err error
			rows[i], err = s.lookupRow(ctx, join)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return rows, nil
}

func (s *Store) lookupRow(ctx context.Context, join plan.Value) (plan.LookupRow, error) {
	row, t := plan.LookupRow{Key: join}, &s.cql.lookups
	into := newScanned(t)
	err := s.session.Query(t.one, arg(t.Columns[0].Form, join)).Idempotent(true).ScanContext(ctx, into.next()...)
	if errors.Is(err, gocql.ErrNotFound) {
		return row, nil
	}
	first, end := s.plan.LookupSlots()
	row.Values = make([]plan.Value, end-first)
	if err == nil {
		err = into.fill(row.Values, first)
	}
	if err != nil {
		return row, s.fault("read a lookup row", err)
	}
	row.Exists, row.Version = true, into.version
	return row, nil
}

// Joins scans the lookup rows and the index of buckets. See [sink.Lookup].
func (s *Store) Joins(ctx context.Context, visit func([]plan.Value) error) error {
	err := s.scanJoins(ctx, s.cql.joinsOfLookups, s.plan.Lookups.Columns[0], visit)
	if err != nil {
		return err
	}
	return s.scanJoins(ctx, s.cql.joinsOfHistory, s.plan.Days.Columns[0], visit)
}

func (s *Store) scanJoins(ctx context.Context, query string, column plan.TableColumn, visit func([]plan.Value) error) error {
	scanner := s.session.Query(query).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
	page := make([]plan.Value, 0, pageRows)
	for scanner.Next() {
		var c cell
		err := scanner.Scan(c.dest(column))
		if err == nil {
			var join plan.Value
			join, err = c.value(column)
			page = append(page, join)
		}
		if err != nil {
			return s.fault("scan join values", err)
		}
		if len(page) == pageRows {
			if err := visit(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := scanner.Err(); err != nil {
		return s.fault("scan join values", err)
	}
	if len(page) == 0 {
		return nil
	}
	return visit(page)
}

// bucketsOf returns the bound values of the buckets, or days, in which a join value
// has rows, or once had.
func (s *Store) bucketsOf(ctx context.Context, join plan.Value) ([]any, error) {
	scanner := s.session.Query(s.cql.bucketsOf, s.joinArg(join)).Idempotent(true).IterContext(ctx).Scanner()
	var buckets []any
	for scanner.Next() {
		bucket, err := s.scanBucket(scanner)
		if err != nil {
			return nil, s.fault("read buckets", err)
		}
		buckets = append(buckets, bucket)
	}
	if err := scanner.Err(); err != nil {
		return nil, s.fault("read buckets", err)
	}
	return buckets, nil
}
