package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"penstock/testdata"
)

// rejoins are the lookup rows whose stored rows are being joined again, and how many rows are, as penstock status says.
func (w *world) rejoins() (rejoins int, rows int64) {
	w.t.Helper()
	var view struct {
		Pipelines []struct {
			Partitions []struct {
				Rejoins int
				Rows    int64 `json:"rejoined_rows"`
			}
		}
	}
	if err := json.Unmarshal(w.penstock(0, "status", "-o", "json"), &view); err != nil {
		w.t.Fatal(err)
	}
	for _, p := range view.Pipelines[0].Partitions {
		rejoins, rows = rejoins+p.Rejoins, rows+p.Rows
	}
	return rejoins, rows
}

// TestAContentOfManyEventsChanges: 50,000 events are joined again, over a kill, beside what comes behind the change, and from where it was.
func TestAContentOfManyEventsChanges(t *testing.T) {
	w := newWorld(t)
	w.exec(testdata.Seed)
	slowly := []string{"--set", "backfill.policy=initial", "--set", "pipelines.engagement_metrics.rejoin_rows_per_second=4000"}
	const events = 50_000
	w.exec(fmt.Sprintf(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT '11111111-1111-1111-1111-111111111111', gen_random_uuid(), 'play', '2026-03-01 00:00:00+00'::timestamptz + i * INTERVAL '7 seconds', i, 'tv'
		FROM generate_series(1, %d) i`, events))
	d := w.start(slowly...)
	w.awaitStreaming()
	w.awaitTruth()
	w.awaitDrained()
	w.exec("UPDATE content SET length_seconds = length_seconds + 1 WHERE id = '11111111-1111-1111-1111-111111111111'")
	w.exec(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT id, gen_random_uuid(), 'click', now(), 7, 'behind' FROM content`)
	var before int64
	w.eventually("some of the rows to be joined again", func() string {
		rejoins, rows := w.rejoins()
		if before = rows; rejoins == 0 || rows < 15_000 {
			return fmt.Sprintf("%d rejoins, %d rows", rejoins, rows)
		}
		return ""
	})
	if behind := w.countMetrics("behind"); behind == 0 {
		t.Error("what comes behind the change waits for it")
	}
	d.kill()
	d.exit()
	d = w.start(slowly...)
	w.eventually("the rows to be joined on", func() string {
		if rejoins, rows := w.rejoins(); rejoins == 0 || rows <= before {
			return fmt.Sprintf("%d rejoins, %d rows, before the kill %d", rejoins, rows, before)
		}
		return ""
	})
	w.awaitTruth()
	w.awaitDrained()
	if rejoins, _ := w.rejoins(); rejoins > 0 {
		t.Errorf("%d rejoins are left", rejoins)
	}
	d.stop()
}

// countMetrics is how many events of a device Cassandra has of the content.
func (w *world) countMetrics(device string) (n int) {
	w.t.Helper()
	iter := w.history.Query("SELECT device FROM engagement_by_event").IterContext(w.t.Context())
	var of *string
	for iter.Scan(&of) {
		if of != nil && *of == device {
			n++
		}
	}
	if err := iter.Close(); err != nil {
		w.t.Fatal(err)
	}
	return n
}
