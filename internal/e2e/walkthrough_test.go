package e2e_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/testdata"
)

// TestWalkThrough is the seed's own story: three contents, four events.
func TestWalkThrough(t *testing.T) {
	w := newWorld(t)
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()

	// The seed's example, literally, so that truth and store cannot be wrong alike.
	got := must(t)(w.redis())["1"]
	delete(got, "event_ts")
	want := map[string]string{
		"event_id": "1", "content_id": "11111111-1111-1111-1111-111111111111",
		"user_id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "event_type": "play", "device": "ios",
		"duration_ms": "30000", "engagement_seconds": "30.0", "engagement_pct": "0.016666666666666666",
		"slug": "daily-news-ep1", "title": "Daily News – Episode 1", "content_type": "podcast", "length_seconds": "1800",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event 1 in redis (-seed +got):\n%s", diff)
	}
	pause := must(t)(w.cassandra("engagement_metrics"))["2"]
	if got, want := pause["raw_payload"], `{"reason": "incoming call"}`; got != want {
		t.Errorf("event 2 has raw_payload %s, want %s", got, want)
	}
	for _, field := range []string{"duration_ms", "engagement_seconds", "engagement_pct"} {
		if value, set := pause[field]; set {
			t.Errorf("event 2 has %s = %s, want NULL: its duration is NULL", field, value)
		}
	}
	if got := len(must(t)(w.cassandra("engagement_by_event"))); got != 4 {
		t.Errorf("%d events, want 4", got)
	}
	d.stop()
}

// TestChangesReachBothStores takes one event through every way a row can change.
func TestChangesReachBothStores(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()
	steps := []struct{ name, sql string }{
		{"longer", "UPDATE engagement_events SET duration_ms = 60000 WHERE id = 1"},
		{"duration becomes NULL", "UPDATE engagement_events SET duration_ms = NULL WHERE id = 1"},
		{"other time, other day", "UPDATE engagement_events SET event_ts = event_ts - INTERVAL '3 days' WHERE id IN (1, 3)"},
		{"other content", "UPDATE engagement_events SET content_id = '33333333-3333-3333-3333-333333333333' WHERE id = 3"},
		{"no content", "UPDATE engagement_events SET content_id = NULL WHERE id = 4"},
		{"other id", "UPDATE engagement_events SET id = 100 WHERE id = 2"},
		{"other payload", `UPDATE engagement_events SET raw_payload = '{"z": [1.50, 1e3, null], "a": "\u00e9\n\"", "big": 12345678901234567890}' WHERE id = 4`},
		{"payload too large for its page", `UPDATE engagement_events SET raw_payload =
			(SELECT jsonb_object_agg(i, gen_random_uuid()) FROM generate_series(1, 1000) i) WHERE id = 3`},
		{"not logged again when another column changes", "UPDATE engagement_events SET device = 'tv' WHERE id = 3"},
		{"no payload", "UPDATE engagement_events SET raw_payload = NULL WHERE id = 4"},
		{"other words", "UPDATE content SET title = 'Ünder the ☂', slug = '', content_type = NULL WHERE slug = 'daily-news-ep1'"},
		{"content gets longer", "UPDATE content SET length_seconds = 2 * length_seconds"},
		{"content without a length", "UPDATE content SET length_seconds = NULL WHERE slug = 'ai-documentary'"},
		{"content of no length", "UPDATE content SET length_seconds = 0 WHERE slug = 'ai-documentary'"},
		{"event deleted", "DELETE FROM engagement_events WHERE id = 1"},
		{"deleted event comes back", "INSERT INTO engagement_events (id, event_ts, duration_ms) VALUES (1, now(), 5)"},
		{"twice in one transaction", `UPDATE engagement_events SET device = 'a'; UPDATE engagement_events SET device = 'b';
			DELETE FROM engagement_events WHERE id = 1; INSERT INTO engagement_events (id, event_ts) VALUES (1, '2001-01-01')`},
		{"truncated, then written again", `TRUNCATE engagement_events;
			INSERT INTO engagement_events (id, event_ts, content_id, duration_ms)
			VALUES (3, '2001-01-01', '11111111-1111-1111-1111-111111111111', 7)`},
		{"everything truncated", "TRUNCATE content CASCADE"},
	}
	for _, step := range steps {
		t.Log(step.name)
		w.exec(step.sql)
		w.awaitTruth()
	}
}

// must fails the test unless reading a store went well.
func must(t *testing.T) func(rows, error) rows {
	t.Helper()
	return func(r rows, err error) rows {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// TestContentAfterItsEvents drops the seed's foreign key, as a table filled in
// any order would have it.
func TestContentAfterItsEvents(t *testing.T) {
	w := newWorld(t)
	w.exec("ALTER TABLE engagement_events DROP CONSTRAINT engagement_events_content_id_fkey")
	w.start()
	w.awaitStreaming()
	const id = "44444444-4444-4444-4444-444444444444"
	w.exec(`INSERT INTO engagement_events (content_id, event_type, event_ts, duration_ms)
		SELECT '` + id + `', 'play', now() - i * INTERVAL '1 hour', i * 1000 FROM generate_series(1, 100) i`)
	w.awaitTruth() // without a length there is no share
	w.exec(`INSERT INTO content VALUES ('` + id + `', 'late', 'Late', 'video', 400, now())`)
	w.awaitTruth()
	w.exec(`DELETE FROM content WHERE id = '` + id + `'`)
	w.awaitTruth()
	w.exec(`INSERT INTO content VALUES ('` + id + `', 'again', 'Again', 'video', 800, now())`)
	w.awaitTruth()
}
