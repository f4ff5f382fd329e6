package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"penstock/sink/engagement"
	"penstock/sink/plan"
)

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
	places := map[engagement.UUID][]engagement.Row{{}: nil}
	for _, row := range rows {
		places[row.Partition()] = append(places[row.Partition()], row)
		byID, found, err := w.stores.cassandra.Read(ctx, engagement.Key(row.ID))
		if err != nil {
			return nil, err
		}
		differences = append(differences, compare("cassandra by event", row, rowOf(byID), found)...)
		inRedis, err := w.checkRedis(ctx, row)
		if err != nil {
			return nil, err
		}
		differences = append(differences, inRedis...)
	}
	for content, want := range places {
		history := map[int64]engagement.Row{}
		err := w.stores.cassandra.Rows(ctx, engagement.JoinOf(content), nil, func(page []plan.Stored, _ []byte) error {
			for _, stored := range page {
				row := rowOf(stored)
				history[row.ID] = row
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

// rowOf is a row that a store has, or has not.
func rowOf(stored plan.Stored) engagement.Row {
	if stored.Row == nil {
		return engagement.Row{}
	}
	return engagement.FromSlots(stored.Row)
}

// compareHistory compares the events of one content with those that the history has.
func compareHistory(content engagement.UUID, want []engagement.Row, history map[int64]engagement.Row) []string {
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
func (w *walkthrough) checkRedis(ctx context.Context, row engagement.Row) ([]string, error) {
	got, found, err := w.stores.redis.Read(ctx, engagement.Key(row.ID))
	if err != nil {
		return nil, err
	}
	row.Payload = engagement.Null[string]{} // not kept in Redis
	differences := compare("redis", row, rowOf(got), found)
	hash, _, err := w.stores.redis.Hash(ctx, engagement.Key(row.ID))
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
func seedHash(row engagement.Row) map[string]string {
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
func compare(store string, want, got engagement.Row, found bool) []string {
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

func fieldsOf(r engagement.Row) []rowField {
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

func nullText[T any](v engagement.Null[T]) string {
	if !v.Valid {
		return "NULL"
	}
	if text, ok := any(v.Value).(string); ok {
		return strconv.Quote(text)
	}
	return fmt.Sprint(v.Value) // a float in the shortest form that reads back as itself
}
