package sink_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/storetest"
)

// source plays Postgres and the capture: it keeps the tables' rows and appends
// to each partition of the input topic what the capture would.
type source struct {
	version    int64
	events     map[int64]sink.Engagement
	contents   map[sink.UUID]sink.Content
	partitions [][]*kgo.Record
}

func newSource(partitions int) *source {
	return &source{
		version: 1000, events: make(map[int64]sink.Engagement), contents: make(map[sink.UUID]sink.Content),
		partitions: make([][]*kgo.Record, partitions),
	}
}

// put inserts or updates an event.
func (s *source) put(e sink.Engagement) {
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

func (s *source) putContent(c sink.Content) {
	s.version += 2
	op := "c"
	if _, found := s.contents[c.ID]; found {
		op = "u"
	}
	c.Exists, c.Version = true, s.version
	s.send(s.version, c.ID.String(), "content", op, nil, contentImage(&c))
	s.contents[c.ID] = c
}

func (s *source) removeContent(id sink.UUID) {
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
	s.append(sink.PartitionOf(key, int32(len(s.partitions))), version, []byte(key), table, op, before, after)
}

func (s *source) append(partition int32, version int64, key []byte, table, op string, before, after map[string]any) {
	value, err := json.Marshal(map[string]any{
		"before": before, "after": after, "op": op, "ts_ms": 1,
		"source": map[string]any{"schema": "public", "table": table, "ts_us": version},
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
func (s *source) want() map[int64]sink.Row {
	rows := make(map[int64]sink.Row)
	for id, e := range s.events {
		row := sink.Row{Engagement: e}
		if e.DurationMS.Valid {
			row.Seconds = sink.Some(float64(e.DurationMS.Value) / 1000.0)
		}
		if c, found := s.contents[e.ContentID.Value]; found && e.ContentID.Valid {
			row.ContentType, row.Slug, row.Title, row.LengthSeconds = c.Type, c.Slug, c.Title, c.LengthSeconds
			if row.Seconds.Valid && c.LengthSeconds.Valid && c.LengthSeconds.Value != 0 {
				row.Pct = sink.Some(row.Seconds.Value / float64(c.LengthSeconds.Value))
			}
		}
		rows[id] = row
	}
	return rows
}

// wantEqual checks a model against the query, by id and in the history, and that
// nothing is left over.
func wantEqual(t *testing.T, s *source, model *storetest.Model) {
	t.Helper()
	want := s.want()
	got := make(map[int64]sink.Row)
	for id, stored := range model.Rows() {
		got[id] = stored.Row
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by event (-query +store):\n%s", diff)
	}
	wantPlaces, gotPlaces := make(map[sink.Place]sink.Row), make(map[sink.Place]sink.Row)
	for _, row := range want {
		wantPlaces[row.Place()] = row
	}
	for place, stored := range model.History() {
		gotPlaces[place] = stored.Row
	}
	if diff := cmp.Diff(wantPlaces, gotPlaces); diff != "" {
		t.Errorf("history (-query +store):\n%s", diff)
	}
}

func key(content sink.Null[sink.UUID]) string {
	if !content.Valid {
		return ""
	}
	return content.Value.String()
}

func eventImage(e *sink.Engagement) map[string]any {
	return map[string]any{
		"id": e.ID, "content_id": uuidOf(e.ContentID), "user_id": uuidOf(e.UserID), "event_type": of(e.Type),
		"event_ts": timeOf(e.Time), "duration_ms": of(e.DurationMS), "device": of(e.Device), "raw_payload": of(e.Payload),
	}
}

func contentImage(c *sink.Content) map[string]any {
	image := map[string]any{
		"id": c.ID.String(), "slug": of(c.Slug), "title": of(c.Title), "content_type": of(c.Type),
		"length_seconds": of(c.LengthSeconds), "publish_ts": nil,
	}
	if c.PublishTime.Valid {
		image["publish_ts"] = timeOf(c.PublishTime.Value)
	}
	return image
}

func of[T any](v sink.Null[T]) any {
	if !v.Valid {
		return nil
	}
	return v.Value
}

func uuidOf(v sink.Null[sink.UUID]) any {
	if !v.Valid {
		return nil
	}
	return v.Value.String()
}

func timeOf(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

// A content and an event to start from.
func someContent(n byte, length int64) sink.Content {
	return sink.Content{
		ID: storetest.ContentID(n), Slug: sink.Some("slug"), Title: sink.Some("title"), Type: sink.Some("podcast"),
		LengthSeconds: sink.Some(length), PublishTime: sink.Some[int64](1_756_000_000_000_000),
	}
}

func someEvent(id int64, content byte) sink.Engagement {
	return sink.Engagement{
		ID: id, ContentID: sink.Some(storetest.ContentID(content)), UserID: sink.Some(sink.UUID{0: 0xaa}),
		Type: sink.Some("play"), Time: 1_756_138_420_436_907, DurationMS: sink.Some[int64](30_000),
		Device: sink.Some("ios"), Payload: sink.Some(`{"bitrate": "128kbps"}`),
	}
}
