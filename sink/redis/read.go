package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"penstock/sink"
)

// Hash returns one event's hash as it stands in Redis and whether there is one;
// a deleted event has none. Errors are classed as for [sink.Store].
func (s *Store) Hash(ctx context.Context, id int64) (hash map[string]string, found bool, err error) {
	hash, err = s.client.Do(ctx, s.client.B().Hgetall().Key(s.key(id)).Build()).AsStrMap()
	if err != nil {
		return nil, false, s.fault("read "+s.key(id), err)
	}
	if _, deleted := hash[fieldDeleted]; deleted || len(hash) == 0 {
		return nil, false, nil
	}
	return hash, true, nil
}

// Event returns the row of one event, without its payload, and whether there is
// one. Errors are classed as for [sink.Store]; a hash that this package did not
// write is one.
func (s *Store) Event(ctx context.Context, id int64) (row sink.Stored, found bool, err error) {
	hash, found, err := s.Hash(ctx, id)
	if err != nil || !found {
		return sink.Stored{}, false, err
	}
	r := hashReader{hash: hash}
	row.ID = r.required(fieldEventID)
	row.Version = r.required(fieldVersion)
	row.Time = field(&r, fieldTime, parseTime).Value
	row.ContentID = field(&r, fieldContentID, sink.ParseUUID)
	row.UserID = field(&r, fieldUserID, sink.ParseUUID)
	row.Seconds = field(&r, fieldSeconds, parseFloat)
	row.DurationMS = field(&r, fieldDuration, parseInt)
	row.Pct = field(&r, fieldPct, parseFloat)
	row.LengthSeconds = field(&r, fieldLength, parseInt)
	row.Type = field(&r, fieldType, parseText)
	row.Device = field(&r, fieldDevice, parseText)
	row.ContentType = field(&r, fieldContentType, parseText)
	row.Slug = field(&r, fieldSlug, parseText)
	row.Title = field(&r, fieldTitle, parseText)
	if r.err != nil {
		return sink.Stored{}, false, fmt.Errorf("read %s: %w", s.key(id), r.err)
	}
	return row, true, nil
}

// hashReader reads the fields of one hash and keeps the first error.
type hashReader struct {
	hash map[string]string
	err  error
}

func (r *hashReader) required(name string) int64 {
	v := field(r, name, parseInt)
	if r.err == nil && !v.Valid {
		r.err = fmt.Errorf("field %s is missing", name)
	}
	return v.Value
}

func field[T any](r *hashReader, name string, parse func(string) (T, error)) (v sink.Null[T]) {
	text, found := r.hash[name]
	if !found {
		return v
	}
	value, err := parse(text)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("field %s: %w", name, err)
		}
		return v
	}
	return sink.Some(value)
}

func parseInt(s string) (int64, error)     { return strconv.ParseInt(s, 10, 64) }
func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
func parseText(s string) (string, error)   { return s, nil }

func parseTime(s string) (int64, error) {
	at, err := time.Parse(layoutSeconds, s) // also takes a fraction
	return at.UnixMicro(), err
}
