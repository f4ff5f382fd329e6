package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
)

// rows are an event's fields by event id, as text; an absent field is NULL.
type rows map[string]map[string]string

// without leaves out a field that a store does not keep.
func (r rows) without(field string) rows {
	out := rows{}
	for id, row := range r {
		out[id] = maps.Clone(row)
		delete(out[id], field)
	}
	return out
}

// truth is the join as Postgres computes it, in the seed's formats.
func (w *world) truth() rows {
	w.t.Helper()
	const query = `
		SELECT e.id::text AS event_id, e.content_id::text, e.user_id::text, e.event_type, e.device,
			e.event_ts, e.raw_payload::text, c.slug, c.title, c.content_type, c.length_seconds::text AS length_seconds,
			e.duration_ms::text AS duration_ms, e.duration_ms::float8 / 1000.0::float8 AS engagement_seconds,
			(e.duration_ms::float8 / 1000.0::float8) / nullif(c.length_seconds, 0)::float8 AS engagement_pct
		FROM engagement_events e LEFT JOIN content c ON c.id = e.content_id`
	found, err := w.db.Query(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	type event struct {
		EventID                                          string
		ContentID, UserID, EventType, Device, DurationMS *string
		RawPayload                                       *string
		Slug, Title, ContentType, LengthSeconds          *string
		EventTS                                          time.Time
		EngagementSeconds, EngagementPct                 *float64
	}
	list, err := pgx.CollectRows(found, pgx.RowToStructByName[event])
	if err != nil {
		w.t.Fatal(err)
	}
	out := rows{}
	for _, e := range list {
		row := map[string]string{"event_id": e.EventID, "event_ts": pythonTime(e.EventTS)}
		put(row, "content_id", e.ContentID)
		put(row, "user_id", e.UserID)
		put(row, "event_type", e.EventType)
		put(row, "device", e.Device)
		put(row, "raw_payload", e.RawPayload)
		put(row, "duration_ms", e.DurationMS)
		put(row, "slug", e.Slug)
		put(row, "title", e.Title)
		put(row, "content_type", e.ContentType)
		put(row, "length_seconds", e.LengthSeconds)
		putFloat(row, "engagement_seconds", e.EngagementSeconds)
		putFloat(row, "engagement_pct", e.EngagementPct)
		out[e.EventID] = row
	}
	return out
}

func put(row map[string]string, name string, value *string) {
	if value != nil {
		row[name] = *value
	}
}

func putInt(row map[string]string, name string, value *int64) {
	if value != nil {
		row[name] = strconv.FormatInt(*value, 10)
	}
}

func putFloat(row map[string]string, name string, value *float64) {
	if value != nil {
		row[name] = pythonFloat(*value)
	}
}

// pythonTime and pythonFloat print as the seed's Python did.
func pythonTime(t time.Time) string {
	if t.Nanosecond() == 0 {
		return t.UTC().Format("2006-01-02 15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}

func pythonFloat(f float64) string {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if f == float64(int64(f)) && !strings.Contains(text, "e") {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return text
}

// cassandra reads a whole table of events. It is an error while the daemon has
// not created the table.
func (w *world) cassandra(table string) (rows, error) {
	out := rows{}
	iter := w.history.Query(`SELECT event_id, content_id, user_id, event_type, device, event_ts_us, duration_ms,
		engagement_seconds, engagement_pct, raw_payload, slug, title, content_type, length_seconds FROM ` + table).IterContext(w.t.Context())
	var (
		id, micros                           int64
		contentID, userID, eventType, device *string
		payload, slug, title, contentType    *string
		duration, length                     *int64
		seconds, pct                         *float64
	)
	for iter.Scan(&id, &contentID, &userID, &eventType, &device, &micros, &duration, &seconds, &pct,
		&payload, &slug, &title, &contentType, &length) {
		key := strconv.FormatInt(id, 10)
		row := map[string]string{"event_id": key, "event_ts": pythonTime(time.UnixMicro(micros))}
		if contentID != nil && *contentID != (gocql.UUID{}).String() {
			row["content_id"] = *contentID
		}
		put(row, "user_id", userID)
		put(row, "event_type", eventType)
		put(row, "device", device)
		put(row, "raw_payload", payload)
		put(row, "slug", slug)
		put(row, "title", title)
		put(row, "content_type", contentType)
		putInt(row, "duration_ms", duration)
		putInt(row, "length_seconds", length)
		putFloat(row, "engagement_seconds", seconds)
		putFloat(row, "engagement_pct", pct)
		if _, twice := out[key]; twice {
			return nil, errors.Join(fmt.Errorf("event %s stands in %s twice", key, table), iter.Close())
		}
		out[key] = row
	}
	return out, iter.Close()
}

// redis reads every event hash, under the names that the other stores use. The
// tombstones of deleted events are not events.
func (w *world) redis() (rows, error) {
	names := map[string]string{
		"event_id": "event_id", "content_id": "content_id", "user_id": "user_id", "event_type": "event_type", "device": "device",
		"event_time_str": "event_ts", "duration_ms_str": "duration_ms",
		"engagement_seconds_str": "engagement_seconds", "engagement_pct_str": "engagement_pct",
		"slug": "slug", "title": "title", "content_type": "content_type", "length_seconds_str": "length_seconds",
	}
	out := rows{}
	return out, eachHash(w.t.Context(), w.latest, w.prefix+":event:", func(id string, hash map[string]string) {
		if hash["event_id"] == "" {
			return
		}
		row := map[string]string{}
		for field, name := range names {
			if value, set := hash[field]; set {
				row[name] = value
			}
		}
		out[id] = row
	})
}

// eachHash visits every hash whose key begins with the prefix, by the rest of its key.
func eachHash(ctx context.Context, redis rueidis.Client, prefix string, visit func(rest string, hash map[string]string)) error {
	for cursor := uint64(0); ; {
		page, err := redis.Do(ctx, redis.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		var gets rueidis.Commands
		for _, key := range page.Elements {
			gets = append(gets, redis.B().Hgetall().Key(key).Build())
		}
		for i, result := range redis.DoMulti(ctx, gets...) {
			hash, err := result.AsStrMap()
			if err != nil {
				return err
			}
			visit(strings.TrimPrefix(page.Elements[i], prefix), hash)
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// awaitTruth waits until both stores equal SQL, and fails with what differs.
func (w *world) awaitTruth() {
	w.t.Helper()
	want := w.truth()
	for _, store := range []struct {
		name string
		want rows
		read func() (rows, error)
	}{
		{"cassandra engagement_metrics", want, func() (rows, error) { return w.cassandra("engagement_metrics") }},
		{"cassandra engagement_by_event", want, func() (rows, error) { return w.cassandra("engagement_by_event") }},
		{"redis", want.without("raw_payload"), w.redis},
	} {
		w.eventually(store.name+" to equal SQL", func() string {
			got, err := store.read()
			if err != nil {
				return err.Error()
			}
			return difference(store.want, got)
		})
	}
}

// difference names the first few events that differ.
func difference(want, got rows) string {
	const most = 5
	var lines []string
	ids := slices.Sorted(maps.Keys(want))
	for id := range got {
		if _, known := want[id]; !known {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if diff := cmp.Diff(want[id], got[id]); diff != "" {
			lines = append(lines, fmt.Sprintf("event %s (-SQL +store):\n%s", id, diff))
		}
	}
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return strings.Join(lines, "\n")
}
