package cassandra

import (
	"context"
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"penstock/sink"
)

// pageRows is how many rows a page of a scan holds.
const pageRows = 1000

// Event returns the row of one event by its id and whether there is one. Errors
// are classed as for [sink.Store].
func (s *Store) Event(ctx context.Context, id int64) (row sink.Stored, found bool, err error) {
	var r scannedRow
	err = s.session.Query(s.cql.event, id).Idempotent(true).ScanContext(ctx, r.dest()...)
	if errors.Is(err, gocql.ErrNotFound) {
		return sink.Stored{}, false, nil
	}
	if err != nil {
		return sink.Stored{}, false, s.fault("read event", err)
	}
	return r.stored(), true, nil
}

// Events visits the history of one content, day by day in the order of time; the
// zero UUID has the events without content. See [sink.Lookup].
func (s *Store) Events(ctx context.Context, content sink.UUID, visit func([]sink.Stored) error) error {
	days, err := s.daysOf(ctx, content)
	if err != nil {
		return err
	}
	page := make([]sink.Stored, 0, pageRows)
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := visit(page)
		page = page[:0]
		return err
	}
	for _, day := range days {
		scanner := s.session.Query(s.cql.history, gocql.UUID(content), day).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
		for scanner.Next() {
			var r scannedRow
			if err := scanner.Scan(r.dest()...); err != nil {
				return s.fault("read history", err)
			}
			if page = append(page, r.stored()); len(page) == pageRows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := scanner.Err(); err != nil {
			return s.fault("read history", err)
		}
	}
	return flush()
}

// Contents reads the content rows, several at a time. See [sink.Lookup].
func (s *Store) Contents(ctx context.Context, ids []sink.UUID) ([]sink.Content, error) {
	contents := make([]sink.Content, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.inFlight))
	for i, id := range ids {
		group.Go(func() (err error) {
			contents[i], err = s.contentRow(ctx, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return contents, nil
}

func (s *Store) contentRow(ctx context.Context, id sink.UUID) (sink.Content, error) {
	c := sink.Content{ID: id}
	var slug, title, kind *string
	var length, published *int64
	err := s.session.Query(s.cql.content, gocql.UUID(id)).Idempotent(true).ScanContext(ctx, &slug, &title, &kind, &length, &published, &c.Version)
	if errors.Is(err, gocql.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, s.fault("read content", err)
	}
	c.Exists = true
	c.Slug, c.Title, c.Type, c.LengthSeconds, c.PublishTime = null(slug), null(title), null(kind), null(length), null(published)
	return c, nil
}

// ContentIDs scans the content rows and the index of days. See [sink.Lookup].
func (s *Store) ContentIDs(ctx context.Context, visit func([]sink.UUID) error) error {
	for _, query := range []string{s.cql.contentIDs, s.cql.historyContents} {
		if err := s.scanIDs(ctx, query, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) scanIDs(ctx context.Context, query string, visit func([]sink.UUID) error) error {
	scanner := s.session.Query(query).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
	page := make([]sink.UUID, 0, pageRows)
	for scanner.Next() {
		var id gocql.UUID
		if err := scanner.Scan(&id); err != nil {
			return s.fault("scan contents", err)
		}
		if page = append(page, sink.UUID(id)); len(page) == pageRows {
			if err := visit(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := scanner.Err(); err != nil {
		return s.fault("scan contents", err)
	}
	if len(page) == 0 {
		return nil
	}
	return visit(page)
}

// daysOf returns the days on which a content has, or once had, events.
func (s *Store) daysOf(ctx context.Context, content sink.UUID) ([]time.Time, error) {
	scanner := s.session.Query(s.cql.days, gocql.UUID(content)).Idempotent(true).IterContext(ctx).Scanner()
	var days []time.Time
	for scanner.Next() {
		var day time.Time
		if err := scanner.Scan(&day); err != nil {
			return nil, s.fault("read days", err)
		}
		days = append(days, day)
	}
	if err := scanner.Err(); err != nil {
		return nil, s.fault("read days", err)
	}
	return days, nil
}

// scannedRow takes the columns of a row in the order of the statements.
type scannedRow struct {
	id, timeUS, version      int64
	millis                   time.Time
	content, user            *gocql.UUID
	kind, device, payload    *string
	duration, length         *int64
	seconds, pct             *float64
	contentType, slug, title *string
}

func (r *scannedRow) dest() []any {
	return []any{
		&r.id, &r.content, &r.millis, &r.timeUS, &r.user, &r.kind, &r.duration, &r.device, &r.payload,
		&r.seconds, &r.pct, &r.contentType, &r.slug, &r.title, &r.length, &r.version,
	}
}

func (r *scannedRow) stored() sink.Stored {
	row := sink.Stored{Version: r.version}
	row.ID, row.Time = r.id, r.timeUS
	if r.content != nil && !sink.UUID(*r.content).IsZero() {
		row.ContentID = sink.Some(sink.UUID(*r.content))
	}
	if r.user != nil {
		row.UserID = sink.Some(sink.UUID(*r.user))
	}
	row.Type, row.DurationMS, row.Device, row.Payload = null(r.kind), null(r.duration), null(r.device), null(r.payload)
	row.Seconds, row.Pct = null(r.seconds), null(r.pct)
	row.ContentType, row.Slug, row.Title, row.LengthSeconds = null(r.contentType), null(r.slug), null(r.title), null(r.length)
	return row
}

func null[T any](v *T) sink.Null[T] {
	if v == nil {
		return sink.Null[T]{}
	}
	return sink.Some(*v)
}
