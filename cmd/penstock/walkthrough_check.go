package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
	"penstock/sink"
)

// joinQuery is the truth: what both stores must hold is what this returns. The
// arithmetic is Postgres' own, in float8.
const joinQuery = `
SELECT e.id, e.content_id, e.user_id, e.event_type, (extract(epoch FROM e.event_ts) * 1000000)::bigint,
       e.duration_ms::bigint, e.device, e.raw_payload::text,
       e.duration_ms / 1000.0::float8,
       e.duration_ms / 1000.0::float8 / nullif(c.length_seconds, 0)::float8,
       c.content_type, c.slug, c.title, c.length_seconds::bigint
FROM public.engagement_events e LEFT JOIN public.content c ON c.id = e.content_id
ORDER BY e.id`

// joined runs joinQuery.
func (o *objects) joined(ctx context.Context) ([]sink.Row, error) {
	rows, err := o.db.Query(ctx, joinQuery)
	if err != nil {
		return nil, fmt.Errorf("join in Postgres: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanJoined)
	if err != nil {
		return nil, fmt.Errorf("join in Postgres: %w", err)
	}
	return list, nil
}

func scanJoined(r pgx.CollectableRow) (sink.Row, error) {
	var row sink.Row
	var content, user *[16]byte
	var kind, device, payload, contentType, slug, title *string
	var duration, length *int64
	var seconds, pct *float64
	err := r.Scan(&row.ID, &content, &user, &kind, &row.Time, &duration, &device, &payload, &seconds, &pct, &contentType, &slug, &title, &length)
	row.ContentID, row.UserID = null((*sink.UUID)(content)), null((*sink.UUID)(user))
	row.Type, row.DurationMS, row.Device, row.Payload = null(kind), null(duration), null(device), null(payload)
	row.Seconds, row.Pct = null(seconds), null(pct)
	row.ContentType, row.Slug, row.Title, row.LengthSeconds = null(contentType), null(slug), null(title), null(length)
	return row, err
}

func null[T any](v *T) sink.Null[T] {
	if v == nil {
		return sink.Null[T]{}
	}
	return sink.Some(*v)
}

// check holds everything that the walk-through made against SQL and says what
// differs, nothing when all is well. Nobody may write meanwhile.
func (w *walkthrough) check(ctx context.Context) ([]string, error) {
	differences, err := w.checkStores(ctx)
	if err != nil {
		return nil, err
	}
	inKafka, err := w.checkTopics(ctx)
	return append(differences, inKafka...), err
}

// checkStores compares every field of every event in Cassandra, by id and in
// the history of its content, and in Redis.
func (w *walkthrough) checkStores(ctx context.Context) ([]string, error) {
	rows, err := w.objects.joined(ctx)
	if err != nil {
		return nil, err
	}
	differences := []string{}
	places := map[sink.UUID][]sink.Row{{}: nil}
	for _, row := range rows {
		places[row.Partition()] = append(places[row.Partition()], row)
		byID, found, err := w.stores.cassandra.Event(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		differences = append(differences, compare("cassandra by event", row, byID.Row, found)...)
		inRedis, err := w.checkRedis(ctx, row)
		if err != nil {
			return nil, err
		}
		differences = append(differences, inRedis...)
	}
	for content, want := range places {
		history := map[int64]sink.Row{}
		err := w.stores.cassandra.Events(ctx, content, func(page []sink.Stored) error {
			for _, row := range page {
				history[row.ID] = row.Row
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		differences = append(differences, compareHistory(content, want, history)...)
	}
	return differences, nil
}

// compareHistory compares the events of one content with those that the history has.
func compareHistory(content sink.UUID, want []sink.Row, history map[int64]sink.Row) []string {
	var differences []string
	for _, row := range want {
		got, found := history[row.ID]
		differences = append(differences, compare("cassandra history", row, got, found)...)
		delete(history, row.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(history)) {
		differences = append(differences, fmt.Sprintf("event %d: cassandra history of content %s has it, Postgres has not", id, content))
	}
	return differences
}

// checkRedis compares the hash as a row, and the seed's fields as text.
func (w *walkthrough) checkRedis(ctx context.Context, row sink.Row) ([]string, error) {
	got, found, err := w.stores.redis.Event(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	row.Payload = sink.Null[string]{} // not kept in Redis
	differences := compare("redis", row, got.Row, found)
	hash, _, err := w.stores.redis.Hash(ctx, row.ID)
	if err != nil || !found {
		return differences, err
	}
	for name, want := range seedHash(row) {
		if text, ok := hash[name]; !ok || text != want {
			differences = append(differences, fmt.Sprintf("event %d: redis field %s is %q, want %q", row.ID, name, text, want))
		}
	}
	return differences, nil
}

// seedHash is the seed's fields of an event's hash, as the seed prints them.
func seedHash(row sink.Row) map[string]string {
	at := time.UnixMicro(row.Time).UTC()
	layout := "2006-01-02 15:04:05.000000"
	if at.Nanosecond() == 0 {
		layout = time.DateTime
	}
	hash := map[string]string{"event_id": strconv.FormatInt(row.ID, 10), "event_time_str": at.Format(layout)}
	if row.UserID.Valid {
		hash["user_id"] = row.UserID.Value.String()
	}
	if row.ContentID.Valid {
		hash["content_id"] = row.ContentID.Value.String()
	}
	if row.DurationMS.Valid {
		hash["duration_ms_str"] = strconv.FormatInt(row.DurationMS.Value, 10)
	}
	if s := row.Seconds; s.Valid && s.Value == float64(int64(s.Value)) {
		hash["engagement_seconds_str"] = strconv.FormatFloat(s.Value, 'f', 1, 64)
	}
	return hash
}

// compare says which fields of an event a store has otherwise than Postgres.
func compare(store string, want, got sink.Row, found bool) []string {
	if !found {
		return []string{fmt.Sprintf("event %d: %s does not have it", want.ID, store)}
	}
	var differences []string
	gotFields := fieldsOf(got)
	for i, field := range fieldsOf(want) {
		if field.text != gotFields[i].text {
			differences = append(differences, fmt.Sprintf("event %d: %s has %s %s, Postgres %s", want.ID, store, field.name, gotFields[i].text, field.text))
		}
	}
	return differences
}

// rowField is one column of a row in a form that is equal when the column is.
type rowField struct{ name, text string }

func fieldsOf(r sink.Row) []rowField {
	return []rowField{
		{"event_id", strconv.FormatInt(r.ID, 10)},
		{"content_id", nullText(r.ContentID)},
		{"user_id", nullText(r.UserID)},
		{"event_type", nullText(r.Type)},
		{"event_ts", time.UnixMicro(r.Time).UTC().Format(time.RFC3339Nano)},
		{"duration_ms", nullText(r.DurationMS)},
		{"device", nullText(r.Device)},
		{"raw_payload", nullText(r.Payload)},
		{"engagement_seconds", nullText(r.Seconds)},
		{"engagement_pct", nullText(r.Pct)},
		{"content_type", nullText(r.ContentType)},
		{"slug", nullText(r.Slug)},
		{"title", nullText(r.Title)},
		{"length_seconds", nullText(r.LengthSeconds)},
	}
}

func nullText[T any](v sink.Null[T]) string {
	if !v.Valid {
		return "NULL"
	}
	if text, ok := any(v.Value).(string); ok {
		return strconv.Quote(text)
	}
	return fmt.Sprint(v.Value) // a float in the shortest form that reads back as itself
}

// checkTopics reads the table topics to their ends: each row once, as a create,
// in the columns that Postgres has, and nothing else.
func (w *walkthrough) checkTopics(ctx context.Context) ([]string, error) {
	if err := w.topics.catchUp(ctx); err != nil {
		return nil, err
	}
	var differences []string
	for topic, name := range map[string]string{w.names.Events: "engagement_events", w.names.Content: "content"} {
		images, err := w.objects.images(ctx, name)
		if err != nil {
			return nil, err
		}
		differences = append(differences, compareTopic(topic, images, w.topics.records[topic])...)
	}
	slices.Sort(differences)
	return differences, nil
}

// images returns the rows of a table as JSON objects by id.
func (o *objects) images(ctx context.Context, name string) (map[string]json.RawMessage, error) {
	rows, err := o.db.Query(ctx, "SELECT t.id::text, to_json(t)::text FROM "+pgx.Identifier{"public", name}.Sanitize()+" t")
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", name, err)
	}
	images := map[string]json.RawMessage{}
	var id, image string
	_, err = pgx.ForEachRow(rows, []any{&id, &image}, func() error {
		images[id] = json.RawMessage(image)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", name, err)
	}
	return images, nil
}

// compareTopic compares a topic's records with a table's rows by id.
func compareTopic(topic string, images map[string]json.RawMessage, records []topicRecord) []string {
	var differences []string
	seen := map[string]int{}
	for _, r := range records {
		where := fmt.Sprintf("topic %s partition %d offset %d", topic, r.Partition, r.Offset)
		id, ok := idOf(r.Change.After)
		switch {
		case !ok || r.Change.Op != schema.OpCreate:
			differences = append(differences, fmt.Sprintf("%s: is not the creation of a row", where))
			continue
		case images[id] == nil:
			differences = append(differences, fmt.Sprintf("%s: row %s is not in Postgres", where, id))
		default:
			for _, column := range differentColumns(images[id], r.Change.After) {
				differences = append(differences, fmt.Sprintf("%s: row %s: %s", where, id, column))
			}
		}
		seen[id]++
	}
	for _, id := range slices.Sorted(maps.Keys(images)) {
		if seen[id] != 1 {
			differences = append(differences, fmt.Sprintf("topic %s: row %s is there %d times, not once", topic, id, seen[id]))
		}
	}
	return differences
}

// differentColumns compares two JSON images of a row.
func differentColumns(want, got json.RawMessage) []string {
	var a, b map[string]any
	if err := decodeExact(want, &a); err != nil {
		return []string{err.Error()}
	}
	if err := decodeExact(got, &b); err != nil {
		return []string{err.Error()}
	}
	var differences []string
	for _, column := range slices.Sorted(maps.Keys(a)) {
		if x, y := canonical(a[column]), canonical(b[column]); x != y {
			differences = append(differences, fmt.Sprintf("column %s is %s, in Postgres %s", column, y, x))
		}
	}
	return differences
}

// canonical makes equal values of the two images equal texts: a time in any
// zone, a JSON document as an object or as text.
func canonical(v any) string {
	text, ok := v.(string)
	if !ok {
		compact, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(compact)
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	var document map[string]any
	if decodeExact([]byte(text), &document) == nil {
		return canonical(document)
	}
	return strconv.Quote(text)
}

// decodeExact is json.Unmarshal that keeps the digits of numbers.
func decodeExact(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
