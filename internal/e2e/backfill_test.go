package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"penstock/testdata"
)

// backfilled is what penstock backfill prints of a job.
type backfilled struct {
	Table, ID, State string
	Rows, Overtaken  int64
	Share            float64
}

func (w *world) backfills(args ...string) map[string]backfilled {
	w.t.Helper()
	var list []backfilled
	if err := json.Unmarshal(w.penstock(0, append([]string{"backfill"}, append(args, "-o", "json")...)...), &list); err != nil {
		w.t.Fatal(err)
	}
	jobs := map[string]backfilled{}
	for _, j := range list {
		jobs[j.Table] = j
	}
	return jobs
}

// TestRowsFromBeforeReachTheStores: the tables are full when the daemon comes, are changed and
// the daemon is killed while they are read; both stores equal SQL.
func TestRowsFromBeforeReachTheStores(t *testing.T) {
	w := newWorld(t)
	w.exec(testdata.Seed)
	const before = 30_000
	w.exec(fmt.Sprintf(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT (ARRAY['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222', NULL]::uuid[])[1 + i %% 3],
			gen_random_uuid(), 'play', now() - i * INTERVAL '1 minute', i, 'tv' FROM generate_series(1, %d) i`, before))
	few := []string{"--set", "backfill.chunk_blocks=16"}
	d := w.start(few...)
	w.awaitStreaming()
	const events, content = "public.engagement_events", "public.content"
	if jobs := w.backfills("list"); len(jobs) != 0 {
		t.Fatalf("jobs %+v without a word", jobs)
	}
	if jobs := w.backfills("start", events, content); jobs[events].ID == "" || jobs[events].ID != jobs[content].ID {
		t.Errorf("got %+v", jobs)
	}
	wait := w.startLoad(5_000, uint64(time.Now().UnixNano()))
	for _, share := range []float64{0.1, 0.4} {
		w.eventually(fmt.Sprintf("%.0f%% of the backfill", 100*share), func() string {
			if job := w.backfills("list")[events]; job.Share < share {
				return fmt.Sprintf("%+v", job)
			}
			return ""
		})
		d.kill()
		d.exit()
		d = w.start(few...)
	}
	w.penstock(0, "backfill", "list", events, content, "--watch")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	w.awaitDrained()
	w.awaitTruth()
	jobs := w.backfills("list")
	if got := jobs[events]; got.State != "done" || got.Rows+got.Overtaken < before || got.Rows > before+5_000 {
		t.Errorf("got %+v", jobs)
	}
	w.penstock(5, "backfill", "cancel", events)
	w.penstock(2, "backfill", "start", "public.contents")
	d.stop()
	w.penstock(3, "backfill", "start", events, "--timeout", "1s") // nobody captures: the command waits in the log
	d = w.start(few...)
	w.eventually("the command to be met", func() string {
		if job := w.backfills("list")[events]; job.ID == jobs[events].ID || job.State != "done" {
			return fmt.Sprintf("%+v", job)
		}
		return ""
	})
	w.awaitDrained()
	w.awaitTruth()
	d.stop()
}
