package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/testdata"
)

// Engagement is a load on the seed's tables in the place of the usual ones: events,
// and contents that come before and after them, change and go; beside them orders
// and their customers.
type Engagement struct {
	Contents int // how many there may be
	Hot      int // those of them that a quarter of the events has
	Lookups  int // of 100 transactions that change contents
	Orders   int // of 100 of the others that change orders and customers in their place
}

// engagementSetup lets events come before their content, and outlive it. pick is the
// content of a row of generate_series, or none.
const engagementSetup = `
	ALTER TABLE engagement_events DROP CONSTRAINT IF EXISTS engagement_events_content_id_fkey;
	CREATE OR REPLACE FUNCTION content_of(n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$ SELECT md5('content ' || n)::uuid $$;
	CREATE OR REPLACE FUNCTION pick(i bigint, salt bigint, hot bigint, contents bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
		SELECT CASE WHEN h % 20 = 0 THEN NULL WHEN h % 4 = 1 THEN content_of(h / 32 % hot) ELSE content_of(h / 32 % contents) END
		FROM (SELECT abs(hashint8extended(i, salt) % 1000000007) AS h) hashed $$`

// SetupEngagement makes the seed's tables, and those of the orders. It may be called again.
func SetupEngagement(ctx context.Context, dsn string) (err error) {
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range []string{testdata.Setup, engagementSetup, ordersSetup} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	return nil
}

// pick chooses a worker's next transaction.
func (e *Engagement) pick(w *worker) transaction {
	var t transaction
	if w.random.IntN(100) < e.Lookups {
		t.sql = e.changeContents(w)
	} else {
		t.sql = e.change(w)
	}
	switch w.random.IntN(24) {
	case 0:
		t.rollback = true
	case 1:
		t.sql = "SAVEPOINT a; " + t.sql + " ROLLBACK TO a; RELEASE a; " + e.change(w)
	case 2, 3, 4: // several changes of the same rows, or of others, in one commit
		t.sql += e.change(w) + e.changeContents(w) + e.changeEvents(w)
	}
	return t
}

// change is one of events, or of orders.
func (e *Engagement) change(w *worker) string {
	if w.random.IntN(100) < e.Orders {
		return changeOrders(w)
	}
	return e.changeEvents(w)
}

// newEvents inserts events with new ids.
func (e *Engagement) newEvents(w *worker) string {
	n := int64(1 + w.random.IntN(60))
	first := w.fresh(n)
	w.remember(first)
	return e.events(w, first, first+n-1)
}

// events inserts events with ids that may be in use. Those of every eighth are lately: in
// the minutes and the hours that leaderboards look at.
func (e *Engagement) events(w *worker, from, to int64) string {
	return fmt.Sprintf(`INSERT INTO engagement_events (id, content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
		SELECT i, pick(i, %[1]d, %[2]d, %[3]d), CASE WHEN i %% 7 > 0 THEN md5('user ' || (i + %[1]d) %% 500)::uuid END,
			(ARRAY['play', 'pause', 'finish', 'click'])[1 + i %% 4],
			CASE WHEN i %% 8 > 0 THEN timestamptz '2026-03-01 00:00:00+00' + ((i %% 1000003) * 431999 + %[1]d) %% 432000000 * interval '1 millisecond'
				WHEN i %% 16 > 0 THEN now() - (i %% 1000003 * 7919 + %[1]d) %% 7200 * interval '1 second'
				ELSE now() - (i %% 1000003 * 7919 + %[1]d) %% 600000 * interval '1 second' END + i %% 5 * interval '1 microsecond',
			CASE WHEN i %% 5 > 0 THEN (i %% 1000003 * 7919 + %[1]d) %% 3600000 END,
			(ARRAY['ios', 'web', 'tv', NULL])[1 + (i + %[1]d) %% 4], jsonb_build_object('n', i, 'by', %[1]d)
		FROM generate_series(%[4]d::bigint, %[5]d::bigint) i
		ON CONFLICT (id) DO UPDATE SET content_id = excluded.content_id, duration_ms = excluded.duration_ms, device = excluded.device;
		`, w.n, e.Hot, e.Contents, from, to)
}

// changeEvents inserts, updates or deletes some.
func (e *Engagement) changeEvents(w *worker) string {
	from := w.some()
	to := from + int64(w.random.IntN(25))
	update := func(set string, args ...any) string {
		return "UPDATE engagement_events SET " + fmt.Sprintf(set, args...) + fmt.Sprintf(" WHERE id BETWEEN %d AND %d; ", from, to)
	}
	remove := fmt.Sprintf("DELETE FROM engagement_events WHERE id BETWEEN %d AND %d; ", from, from+(to-from)/3)
	move := func(salt int64) string { return update("content_id = pick(id, %d, %d, %d)", salt, e.Hot, e.Contents) }
	switch w.random.IntN(20) {
	case 0, 1, 2:
		return update("duration_ms = nullif((coalesce(duration_ms, 0) + %d) %% 3600000, 0)", 1+w.random.IntN(100_000))
	case 3:
		return update("event_ts = event_ts + interval '%d hours'", w.random.IntN(96)-48)
	case 4:
		return update("user_id = md5('user %d')::uuid, event_type = 'click', device = nullif(device, 'tv')", w.n)
	case 5, 6:
		return move(w.n)
	case 7: // through several contents in one commit
		return move(w.n) + move(w.n+1) + move(w.n+2)
	case 8:
		to = from + 2 // all of them come to lie in one partition
		return update("content_id = NULL")
	case 9:
		return remove
	case 10: // and back, under the same ids
		return remove + e.events(w, from, to)
	case 11:
		return e.events(w, from, to)
	case 12: // the result does not change
		return update("raw_payload = raw_payload")
	default:
		return e.newEvents(w)
	}
}

// changeContents inserts, updates or deletes one, or a few.
func (e *Engagement) changeContents(w *worker) string {
	n := w.random.IntN(e.Contents)
	if w.random.IntN(12) == 0 {
		n = w.random.IntN(e.Hot)
	}
	switch w.random.IntN(12) {
	case 0:
		return fmt.Sprintf("DELETE FROM content WHERE id = content_of(%d); ", n)
	case 1: // what the result does not depend on
		return fmt.Sprintf("UPDATE content SET publish_ts = publish_ts + interval '1 minute' WHERE id = content_of(%d); ", n)
	case 2:
		return fmt.Sprintf("UPDATE content SET length_seconds = nullif(%d, 60) WHERE id = content_of(%d); ", 60*w.random.IntN(5), n)
	case 3: // there and back
		set := "UPDATE content SET title = title || '%s' WHERE id = content_of(%d); "
		return fmt.Sprintf(set, "!", n) + fmt.Sprintf("UPDATE content SET title = rtrim(title, '!') WHERE id = content_of(%d); ", n)
	default:
		return strings.ReplaceAll(fmt.Sprintf(`INSERT INTO content (id, slug, title, content_type, length_seconds, publish_ts)
			VALUES (content_of(%[1]d), 'content-%[1]d', 'Title %[2]d ‘%[1]d’', (ARRAY['podcast', 'newsletter', 'video', NULL])[1 + %[2]d %% 4],
				nullif(%[2]d %% 7, 3) * 600, timestamptz '2026-01-01 00:00:00+00' + %[2]d * interval '1.000001 s')
			ON CONFLICT (id) DO UPDATE SET title = excluded.title, length_seconds = excluded.length_seconds, content_type = excluded.content_type; `,
			n, w.n), "\n\t\t\t", " ")
	}
}
