package stores

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// rows are by id.
type rows map[string]fields

// eventTruth is the join as Postgres computes it, with texts as the hashes have them.
const eventTruth = `
	WITH joined AS (
		SELECT e.*, c.slug, c.title, c.content_type, c.length_seconds,
			e.duration_ms::float8 / 1000.0::float8 AS seconds,
			(e.duration_ms::float8 / 1000.0::float8) / nullif(c.length_seconds, 0)::float8 AS share
		FROM engagement_events e LEFT JOIN content c ON c.id = e.content_id)
	SELECT id::text, content_id::text, coalesce(content_id, '00000000-0000-0000-0000-000000000000')::text,
		to_char(event_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD'), floor(extract(epoch FROM event_ts) * 1000)::bigint::text,
		(extract(epoch FROM event_ts) * 1000000)::bigint::text,
		to_char(event_ts AT TIME ZONE 'UTC', CASE WHEN extract(microseconds FROM event_ts)::bigint % 1000000 = 0
			THEN 'YYYY-MM-DD HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI:SS.US' END),
		user_id::text, event_type, duration_ms::text, device, raw_payload::text,
		CASE WHEN seconds = trunc(seconds) THEN seconds::text || '.0' ELSE seconds::text END,
		CASE WHEN share = trunc(share) THEN share::text || '.0' ELSE share::text END,
		content_type, slug, title, length_seconds::text
	FROM joined`

const contentTruth = `
	SELECT id::text, slug, title, content_type, length_seconds::text, (extract(epoch FROM publish_ts) * 1000000)::bigint::text FROM content`

// truth asks the source for what the stores must have.
func (s *Stores) truth(ctx context.Context) (events, contents rows, err error) {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the source: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if events, err = ask(ctx, conn, eventTruth, eventFields); err != nil {
		return nil, nil, err
	}
	contents, err = ask(ctx, conn, contentTruth, contentFields)
	return events, contents, err
}

// ask reads rows of texts, of which the first is the id.
func ask(ctx context.Context, conn *pgx.Conn, sql string, columns int) (rows, error) {
	found, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("ask the source: %w", err)
	}
	defer found.Close()
	out := rows{}
	texts, into := make([]*string, columns), make([]any, columns)
	for i := range texts {
		into[i] = &texts[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, fmt.Errorf("ask the source: %w", err)
		}
		row := make(fields, columns)
		for i, text := range texts {
			row[i] = null
			if text != nil {
				row[i] = *text
			}
		}
		out[row[0]] = row
	}
	return out, found.Err()
}
