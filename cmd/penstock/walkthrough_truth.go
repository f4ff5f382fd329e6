package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"penstock/sink/engagement"
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
func (o *objects) joined(ctx context.Context) ([]engagement.Row, error) {
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

func scanJoined(r pgx.CollectableRow) (engagement.Row, error) {
	var row engagement.Row
	var content, user *[16]byte
	var kind, device, payload, contentType, slug, title *string
	var duration, length *int64
	var seconds, pct *float64
	err := r.Scan(&row.ID, &content, &user, &kind, &row.Time, &duration, &device, &payload, &seconds, &pct, &contentType, &slug, &title, &length)
	row.ContentID, row.UserID = null((*engagement.UUID)(content)), null((*engagement.UUID)(user))
	row.Type, row.DurationMS, row.Device, row.Payload = null(kind), null(duration), null(device), null(payload)
	row.Seconds, row.Pct = null(seconds), null(pct)
	row.ContentType, row.Slug, row.Title, row.LengthSeconds = null(contentType), null(slug), null(title), null(length)
	return row, err
}

func null[T any](v *T) engagement.Null[T] {
	if v == nil {
		return engagement.Null[T]{}
	}
	return engagement.Some(*v)
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
