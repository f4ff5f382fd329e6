package cassandra

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"penstock/sink/plan"
)

const (
	// scanRanges is into how many parts of the ring a scan is cut, and scanParallel how
	// many of them are read at once.
	scanRanges   = 64
	scanParallel = 4
	// murmur3 is the partitioner whose tokens are 64-bit integers.
	murmur3 = "Murmur3Partitioner"
)

// Kept is a row of a table as Cassandra has it.
type Kept struct {
	Values  []plan.Value // of the table's columns in their order, at the precision of each; see [plan.Table.Kept]
	Version int64        // of the column
	// FirstWritten and LastWritten are the lowest and the highest timestamp of the row's
	// cells, in microseconds, which are Version in a row that one write has made.
	FirstWritten, LastWritten int64
}

// ScanHistory visits every row of the history, once, as [Store.Rows] does those of
// one join value.
func (s *Store) ScanHistory(ctx context.Context, visit func([]plan.Stored) error) error {
	return s.scanStored(ctx, &s.cql.history, visit)
}

// ScanView visits every row of a view, in no order: once, if it is there from the begin
// of the scan to its end. The pages come one at a time and are as for [Store.Rows];
// slots that the view does not keep are NULL. Errors are classed as for [sink.Store].
func (s *Store) ScanView(ctx context.Context, view int, visit func([]plan.Stored) error) error {
	return s.scanStored(ctx, &s.cql.views[view], visit)
}

func (s *Store) scanStored(ctx context.Context, t *table, visit func([]plan.Stored) error) error {
	var one sync.Mutex
	return s.scanRing(ctx, t, t.names(t.kept)+", "+plan.VersionColumn, func(scanner gocql.Scanner) error {
		page := make([]plan.Stored, 0, pageRows)
		flush := func() error {
			if len(page) == 0 {
				return nil
			}
			one.Lock()
			defer one.Unlock()
			err := visit(page)
			page = page[:0]
			return err
		}
		into := newScanned(t)
		for scanner.Next() {
			row := s.plan.NewRow()
			if err := errors.Join(scanner.Scan(into.next()...), into.fill(row, 0)); err != nil {
				return s.fault("scan "+t.name, err)
			}
			if page = append(page, plan.Stored{Row: row, Version: into.version}); len(page) == pageRows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return flush()
	})
}

// ScanTable visits every row of a table of the plan, as ScanView does, with all of
// its columns. visit is called from several goroutines, with one row at a time that is
// valid during the call only.
func (s *Store) ScanTable(ctx context.Context, of *plan.Table, visit func(*Kept) error) error {
	t := s.tableOf(of)
	return s.scanRing(ctx, t, t.whole(), func(scanner gocql.Scanner) error {
		into := newWhole(t)
		for scanner.Next() {
			kept, err := into.scan(scanner)
			if err != nil {
				return s.fault("scan "+t.name, err)
			}
			if err := visit(kept); err != nil {
				return err
			}
		}
		return nil
	})
}

// tableOf finds the statements of a table of the plan.
func (s *Store) tableOf(of *plan.Table) *table {
	for _, t := range s.cql.all() {
		if t.Table == of {
			return t
		}
	}
	panic("table " + of.Name + " is not of the store's plan")
}

// scanRing reads a table part by part of the ring, several at once.
func (s *Store) scanRing(ctx context.Context, t *table, columns string, read func(gocql.Scanner) error) error {
	var partitioner string
	if err := s.session.Query("SELECT partitioner FROM system.local").Idempotent(true).ScanContext(ctx, &partitioner); err != nil {
		return s.fault("ask for the partitioner", err)
	}
	query := "SELECT " + columns + " FROM " + t.name
	one := func(ctx context.Context, where string, bounds ...any) error {
		scanner := s.session.Query(query+where, bounds...).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
		err := read(scanner)
		if failed := scanner.Err(); err == nil && failed != nil { // it also ends the reading
			err = s.fault("scan "+t.name, failed)
		}
		return err
	}
	if !strings.HasSuffix(partitioner, murmur3) {
		return one(ctx, "")
	}
	token := "token(" + t.names(upTo(t.Partition)) + ")"
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanParallel)
	const step = math.MaxUint64/scanRanges + 1
	for i := range uint64(scanRanges) {
		low := int64(i*step) + math.MinInt64 // no row has the lowest token
		where, bounds := " WHERE "+token+" > ? AND "+token+" <= ?", []any{low, low + step}
		if i == scanRanges-1 {
			where, bounds = " WHERE "+token+" > ?", bounds[:1]
		}
		group.Go(func() error { return one(ctx, where, bounds...) })
	}
	return group.Wait()
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// names lists some columns for a statement.
func (t *table) names(columns []int) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = quoted(t.Columns[column].Name)
	}
	return strings.Join(names, ", ")
}

// whole lists every column for a statement, the version, and the timestamps of all
// that have one: columns of the key have none.
func (t *table) whole() string {
	names := []string{t.names(upTo(len(t.Columns))), plan.VersionColumn, "writetime(" + plan.VersionColumn + ")"}
	for _, c := range t.Columns[t.Partition+t.Clustering:] {
		names = append(names, "writetime("+quoted(c.Name)+")")
	}
	return strings.Join(names, ", ")
}

// whole takes whole rows, one after the other.
type whole struct {
	table   *table
	cells   []cell
	version *int64
	written []*int64
	dests   []any
	kept    Kept
}

func newWhole(t *table) *whole {
	w := &whole{
		table: t, cells: make([]cell, len(t.Columns)), written: make([]*int64, 1+len(t.Columns)-t.Partition-t.Clustering),
		kept: Kept{Values: make([]plan.Value, len(t.Columns))},
	}
	for i, column := range t.Columns {
		w.dests = append(w.dests, w.cells[i].dest(column))
	}
	w.dests = append(w.dests, &w.version)
	for i := range w.written {
		w.dests = append(w.dests, &w.written[i])
	}
	return w
}

// scan reads the scanner's row. One without a version is of somebody else's making,
// and has version 0.
func (w *whole) scan(scanner interface{ Scan(dest ...any) error }) (*Kept, error) {
	clear(w.cells)
	clear(w.written)
	w.version = nil
	if err := scanner.Scan(w.dests...); err != nil {
		return nil, err
	}
	var err error
	for i, column := range w.table.Columns {
		if w.kept.Values[i], err = w.cells[i].value(column); err != nil {
			return nil, fmt.Errorf("column %s: %w", column.Name, err)
		}
	}
	w.kept.Version, w.kept.FirstWritten, w.kept.LastWritten = 0, 0, 0
	if w.version != nil {
		w.kept.Version = *w.version
	}
	for _, at := range w.written {
		if at == nil {
			continue
		}
		if w.kept.FirstWritten == 0 || *at < w.kept.FirstWritten {
			w.kept.FirstWritten = *at
		}
		w.kept.LastWritten = max(w.kept.LastWritten, *at)
	}
	return &w.kept, nil
}
