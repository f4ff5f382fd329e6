package sink_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// source plays Postgres and the capture: it keeps the tables' rows and appends
// to each partition of the input topic what the capture would.
type source struct {
	version    int64
	events     map[int64]engagement.Event
	contents   map[engagement.UUID]engagement.Content
	partitions [][]*kgo.Record
}

func newSource(partitions int) *source {
	return &source{
		version: 1000, events: make(map[int64]engagement.Event), contents: make(map[engagement.UUID]engagement.Content),
		partitions: make([][]*kgo.Record, partitions),
	}
}

// put inserts or updates an event.
func (s *source) put(e engagement.Event) {
	s.version += 2
	old, found := s.events[e.ID]
	switch {
	case !found:
		s.send(s.version, key(e.ContentID), "engagement_events", "c", nil, eventImage(&e))
	case old.ContentID != e.ContentID:
		s.send(s.version-1, key(old.ContentID), "engagement_events", "d", eventImage(&old), nil)
		s.send(s.version, key(e.ContentID), "engagement_events", "c", nil, eventImage(&e))
	default:
		s.send(s.version, key(e.ContentID), "engagement_events", "u", eventImage(&old), eventImage(&e))
	}
	s.events[e.ID] = e
}

func (s *source) remove(id int64) {
	old, found := s.events[id]
	if !found {
		return
	}
	s.version += 2
	s.send(s.version, key(old.ContentID), "engagement_events", "d", eventImage(&old), nil)
	delete(s.events, id)
}

func (s *source) putContent(c engagement.Content) {
	s.version += 2
	op := "c"
	if _, found := s.contents[c.ID]; found {
		op = "u"
	}
	c.Exists, c.Version = true, s.version
	s.send(s.version, c.ID.String(), "content", op, nil, contentImage(&c))
	s.contents[c.ID] = c
}

func (s *source) removeContent(id engagement.UUID) {
	old, found := s.contents[id]
	if !found {
		return
	}
	s.version += 2
	s.send(s.version, id.String(), "content", "d", map[string]any{"id": old.ID.String()}, nil)
	delete(s.contents, id)
}

func (s *source) truncate(table string) {
	s.version += 2
	for p := range s.partitions {
		s.append(int32(p), s.version, nil, table, "t", nil, nil)
	}
	if table == "content" {
		clear(s.contents)
	} else {
		clear(s.events)
	}
}

func (s *source) send(version int64, key, table, op string, before, after map[string]any) {
	s.sendOf("public", version, key, table, op, before, after)
}

func (s *source) sendOf(schema string, version int64, key, table, op string, before, after map[string]any) {
	s.appendOf(schema, sink.PartitionOf(key, int32(len(s.partitions))), version, []byte(key), table, op, before, after)
}

func (s *source) append(partition int32, version int64, key []byte, table, op string, before, after map[string]any) {
	s.appendOf("public", partition, version, key, table, op, before, after)
}

func (s *source) appendOf(schema string, partition int32, version int64, key []byte, table, op string, before, after map[string]any) {
	value, err := json.Marshal(map[string]any{
		"before": before, "after": after, "op": op, "ts_ms": 1,
		"source": map[string]any{"schema": schema, "table": table, "ts_us": version},
	})
	if err != nil {
		panic(err) // maps of plain values
	}
	s.partitions[partition] = append(s.partitions[partition], &kgo.Record{
		Topic: "t", Partition: partition, Offset: int64(len(s.partitions[partition])), Key: key, Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "penstock.lsn", Value: []byte("0/16B3748")}, {Key: "penstock.seq", Value: []byte("0")},
			{Key: "penstock.xid", Value: []byte("7")}, {Key: "penstock.version", Value: fmt.Append(nil, version)},
		},
	})
}

// want is what a query on the tables answers: the stores must equal it.
func (s *source) want() map[int64]engagement.Row {
	rows := make(map[int64]engagement.Row)
	for id, e := range s.events {
		row := engagement.Row{Event: e}
		if e.DurationMS.Valid {
			row.Seconds = engagement.Some(float64(e.DurationMS.Value) / 1000.0)
		}
		if c, found := s.contents[e.ContentID.Value]; found && e.ContentID.Valid {
			row.ContentType, row.Slug, row.Title, row.LengthSeconds = c.Type, c.Slug, c.Title, c.LengthSeconds
			if row.Seconds.Valid && c.LengthSeconds.Valid && c.LengthSeconds.Value != 0 {
				row.Pct = engagement.Some(row.Seconds.Value / float64(c.LengthSeconds.Value))
			}
		}
		rows[id] = row
	}
	return rows
}

// rowsOf are the rows that a model of the preset has, by event.
func rowsOf(model *storetest.Model) map[int64]engagement.Row {
	rows := make(map[int64]engagement.Row)
	for _, stored := range model.Result() {
		row := engagement.FromSlots(stored.Row)
		rows[row.ID] = row
	}
	return rows
}

// history is the place of the preset's history.
const history = 0

// wantEqual checks a model against the query, by id and in the history, and that
// nothing is left over.
func wantEqual(t *testing.T, s *source, model *storetest.Model) {
	t.Helper()
	want := s.want()
	if diff := cmp.Diff(want, rowsOf(model)); diff != "" {
		t.Errorf("by event (-query +store):\n%s", diff)
	}
	wantPlaces, gotPlaces := make(map[engagement.Place]engagement.Row), make(map[engagement.Place]engagement.Row)
	for _, row := range want {
		wantPlaces[row.Place()] = row
	}
	for _, stored := range model.At(history) {
		row := engagement.FromSlots(stored.Row)
		gotPlaces[row.Place()] = row
	}
	if diff := cmp.Diff(wantPlaces, gotPlaces); diff != "" {
		t.Errorf("history (-query +store):\n%s", diff)
	}
	wantEqualTotals(t, s, model)
}

func key(content engagement.Null[engagement.UUID]) string {
	if !content.Valid {
		return ""
	}
	return content.Value.String()
}

func eventImage(e *engagement.Event) map[string]any {
	return map[string]any{
		"id": e.ID, "content_id": uuidOf(e.ContentID), "user_id": uuidOf(e.UserID), "event_type": of(e.Type),
		"event_ts": timeOf(e.Time), "duration_ms": of(e.DurationMS), "device": of(e.Device), "raw_payload": of(e.Payload),
	}
}

func contentImage(c *engagement.Content) map[string]any {
	image := map[string]any{
		"id": c.ID.String(), "slug": of(c.Slug), "title": of(c.Title), "content_type": of(c.Type),
		"length_seconds": of(c.LengthSeconds), "publish_ts": nil,
	}
	if c.PublishTime.Valid {
		image["publish_ts"] = timeOf(c.PublishTime.Value)
	}
	return image
}

func of[T any](v engagement.Null[T]) any {
	if !v.Valid {
		return nil
	}
	return v.Value
}

func uuidOf(v engagement.Null[engagement.UUID]) any {
	if !v.Valid {
		return nil
	}
	return v.Value.String()
}

func timeOf(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

// A content and an event to start from.
func someContent(n byte, length int64) engagement.Content {
	return engagement.Content{
		ID: storetest.ContentID(n), Slug: engagement.Some("slug"), Title: engagement.Some("title"), Type: engagement.Some("podcast"),
		LengthSeconds: engagement.Some(length), PublishTime: engagement.Some[int64](1_756_000_000_000_000),
	}
}

func someEvent(id int64, content byte) engagement.Event {
	return engagement.Event{
		ID: id, ContentID: engagement.Some(storetest.ContentID(content)), UserID: engagement.Some(engagement.UUID{0: 0xaa}),
		Type: engagement.Some("play"), Time: 1_756_138_420_436_907, DurationMS: engagement.Some[int64](30_000),
		Device: engagement.Some("ios"), Payload: engagement.Some(`{"bitrate": "128kbps"}`),
	}
}
