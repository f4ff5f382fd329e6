package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"penstock/testdata"
)

// TestALostSlotIsRecovered: the slot goes while nobody runs, and rows come, change, go and come again.
// After penstock recover the stores are what Postgres is, without a repair.
func TestALostSlotIsRecovered(t *testing.T) {
	w := newWorld(t)
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	const id = "content_id, user_id, event_type, event_ts, duration_ms, device"
	w.exec(fmt.Sprintf(`INSERT INTO engagement_events (%s)
		SELECT (ARRAY['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222', NULL]::uuid[])[1 + i %% 3],
			gen_random_uuid(), 'play', now() - i * INTERVAL '1 minute', i, 'tv' FROM generate_series(1, 3000) i`, id))
	w.awaitDrained()
	w.awaitTruth()
	w.penstock(5, "recover", "--yes") // a daemon runs
	d.stop()
	w.exec("SELECT pg_drop_replication_slot('" + w.slot() + "')")
	w.exec(`DELETE FROM engagement_events WHERE id % 3 = 0; UPDATE engagement_events SET duration_ms = 7 WHERE id % 5 = 1;
		UPDATE engagement_events SET content_id = '22222222-2222-2222-2222-222222222222' WHERE id % 7 = 2;
		UPDATE content SET title = 'meanwhile' WHERE id = '11111111-1111-1111-1111-111111111111'`)
	d = w.start()
	if code := d.exit(); code != 6 {
		t.Fatalf("the daemon ends with %d", code)
	}
	var got struct {
		Recovered bool
		NewSlot   bool `json:"new_slot"`
		State     string
		Tables    []string
	}
	again := func() {
		t.Helper()
		got.Recovered = false
		if err := json.Unmarshal(w.penstock(0, "recover", "-o", "json"), &got); err != nil {
			t.Fatal(err)
		}
	}
	again()
	if !got.Recovered || !got.NewSlot || got.State != "gap_detected" || !slices.Equal(got.Tables, []string{"public.content", "public.engagement_events"}) {
		t.Errorf("got %+v", got)
	}
	if again(); got.Recovered {
		t.Errorf("a second time: %+v", got)
	}
	d = w.start()
	wait := w.startLoad(2_000, uint64(time.Now().UnixNano()))
	w.penstock(0, "backfill", "list", "public.content", "public.engagement_events", "--watch")
	var jobs []struct {
		Table   string
		Deleted int64
	}
	if err := json.Unmarshal(w.penstock(0, "backfill", "list", "-o", "json"), &jobs); err != nil {
		t.Fatal(err)
	}
	deleted := map[string]int64{}
	for _, j := range jobs {
		deleted[j.Table] = j.Deleted
	}
	if n := deleted["public.engagement_events"]; len(jobs) != 2 || n < 1000 || n > 1010 || deleted["public.content"] != 0 {
		t.Errorf("deleted rows are %v, want a third of some 3000 events", deleted)
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	w.awaitDrained()
	w.awaitTruth()
	w.awaitTotals()
	w.equal("after the recovery", nil)
	d.stop()
}
