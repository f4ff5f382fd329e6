package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/schema/record"
)

// change is one record of the input topic, typed. Exactly one of stream, lookup
// and truncate is set.
type change struct {
	version    int64
	commitTime int64 // microseconds since the Unix epoch
	stream     *streamChange
	lookup     *Content // the row after the change; Exists tells a delete
	truncate   *schema.TableName

	// Of a truncation. only is the one key that it is for, nil for all; but those
	// keys that wait at its place.
	only *string
	but  map[string]bool
}

// streamChange is what happened to one event. An insert has no before image, a
// delete no after image.
type streamChange struct {
	before *Engagement
	after  *Engagement
}

// decode types one record for the pipeline with these tables. key is the join key's text.
// Its errors are [RecordError].
func decode(t Tables, key, value []byte, version int64) (change, error) {
	parsed, err := record.Parse(value)
	if err != nil {
		return change{}, reasoned(deadletter.BadValue, err)
	}
	c := change{version: version, commitTime: parsed.CommitTime}
	switch {
	case parsed.Table != t.Stream && parsed.Table != t.Lookup:
		err := fmt.Errorf("table %s is neither the stream table %s nor the lookup table %s", parsed.Table, t.Stream, t.Lookup)
		return change{}, reasoned(deadletter.UnknownTable, err)
	case parsed.Op == schema.OpTruncate:
		c.truncate = &parsed.Table
		return c, nil
	case parsed.Table == t.Lookup:
		c.lookup, err = decodeLookup(parsed, version)
	default:
		c.stream, err = decodeStream(parsed)
	}
	if err != nil {
		return change{}, reasoned(deadletter.BadValue, err)
	}
	if want := keyOf(c.content()); string(key) != want || key == nil {
		reason := deadletter.WrongKey
		if key == nil {
			reason = deadletter.NullKey
		}
		return change{}, reasoned(reason, fmt.Errorf("record key %q is not the row's join key %q", key, want))
	}
	return c, nil
}

// content is the id that the change is joined by, zero for an event without content.
func (c *change) content() UUID {
	switch {
	case c.lookup != nil:
		return c.lookup.ID
	case c.stream.after != nil:
		return c.stream.after.Partition()
	default:
		return c.stream.before.Partition()
	}
}

func decodeStream(parsed record.Change) (*streamChange, error) {
	var s streamChange
	var err error
	if parsed.Before != nil {
		if s.before, err = decodeEngagement(parsed.Before); err != nil {
			return nil, fmt.Errorf("before image: %w", err)
		}
	}
	if parsed.Op == schema.OpDelete {
		return &s, nil
	}
	if parsed.Op == schema.OpUpdate && s.before == nil {
		return nil, needsIdentity(parsed.Table, "the update has no before image")
	}
	if s.after, err = decodeEngagement(parsed.After); err != nil {
		return nil, fmt.Errorf("after image: %w", err)
	}
	if s.before != nil && (s.before.ID != s.after.ID || s.before.ContentID != s.after.ContentID) {
		return nil, fmt.Errorf("event %d: an update that moves the row to another key must come as a delete and a create", s.after.ID)
	}
	return &s, nil
}

func decodeLookup(parsed record.Change, version int64) (*Content, error) {
	if parsed.Op == schema.OpDelete {
		r := newRowReader(parsed.Before)
		c := &Content{ID: r.uuid("id").Value, Version: version}
		return c, r.err
	}
	c, err := decodeContent(parsed.After)
	if err != nil {
		return nil, fmt.Errorf("after image: %w", err)
	}
	c.Exists, c.Version = true, version
	return c, nil
}

func decodeEngagement(image json.RawMessage) (*Engagement, error) {
	r := newRowReader(image)
	e := &Engagement{
		ID:         r.required(r.integer("id")),
		ContentID:  r.uuid("content_id"),
		UserID:     r.uuid("user_id"),
		Type:       r.text("event_type"),
		Time:       r.required(r.timestamp("event_ts")),
		DurationMS: r.integer("duration_ms"),
		Device:     r.text("device"),
		Payload:    r.text("raw_payload"),
	}
	if r.err == nil && e.ContentID.Valid && e.ContentID.Value.IsZero() {
		r.err = errors.New("column content_id: the zero uuid is kept for events without content")
	}
	return e, r.err
}

func decodeContent(image json.RawMessage) (*Content, error) {
	r := newRowReader(image)
	c := &Content{
		ID:            r.uuid("id").Value,
		Slug:          r.text("slug"),
		Title:         r.text("title"),
		Type:          r.text("content_type"),
		LengthSeconds: r.integer("length_seconds"),
		PublishTime:   r.timestamp("publish_ts"),
	}
	if r.err == nil && c.ID.IsZero() {
		r.err = errors.New("column id: the zero uuid is kept for events without content")
	}
	return c, r.err
}

// rowReader reads the columns of one row image and keeps the first error.
type rowReader struct {
	image map[string]json.RawMessage
	err   error
}

// newRowReader takes an image. Under the replica identity FULL, which the capture
// demands, the log holds every column of it: record.UnavailableValue is a text
// that somebody wrote.
func newRowReader(image json.RawMessage) *rowReader {
	var r rowReader
	r.err = json.Unmarshal(image, &r.image)
	return &r
}

// column decodes one column into dst and reports whether it holds a value.
func (r *rowReader) column(name string, dst any) bool {
	raw, found := r.image[name]
	switch {
	case r.err != nil:
		return false
	case !found || raw == nil:
		r.err = fmt.Errorf("column %s is missing", name)
		return false
	case string(raw) == "null":
		return false
	}
	if err := json.Unmarshal(raw, dst); err != nil {
		r.err = fmt.Errorf("column %s: %w", name, err)
		return false
	}
	return true
}

func (r *rowReader) required(v Null[int64]) int64 {
	if r.err == nil && !v.Valid {
		r.err = errors.New("column id or event_ts is null")
	}
	return v.Value
}

func (r *rowReader) text(name string) (v Null[string]) {
	v.Valid = r.column(name, &v.Value)
	return v
}

func (r *rowReader) integer(name string) (v Null[int64]) {
	v.Valid = r.column(name, &v.Value)
	return v
}

func (r *rowReader) uuid(name string) (v Null[UUID]) {
	var text string
	if !r.column(name, &text) {
		return v
	}
	id, err := ParseUUID(text)
	if err != nil {
		r.err = fmt.Errorf("column %s: %w", name, err)
		return v
	}
	return Some(id)
}

func (r *rowReader) timestamp(name string) (v Null[int64]) {
	var text string
	if !r.column(name, &text) {
		return v
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.err = fmt.Errorf("column %s: %w", name, err)
		return v
	}
	if at.Unix() > math.MaxInt64/1_000_000 {
		r.err = fmt.Errorf("column %s: %s is out of range", name, text)
		return v
	}
	return Some(at.UnixMicro())
}

func needsIdentity(table schema.TableName, what string) error {
	return &fault.Error{
		Kind: fault.Usage, What: what,
		Why: "the join needs whole rows",
		Fix: "ALTER TABLE " + table.String() + " REPLICA IDENTITY FULL, then update the row again",
	}
}
