package e2e_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"penstock/internal/chaos/proxy"
	"penstock/testdata"
)

// partitionStatus is what penstock status says of a partition.
type partitionStatus struct {
	Offset *int64
	Lag    int64
	Stores map[string]int64
}

// statusOf is what penstock status says of the pipeline's partitions.
func (w *world) statusOf() []partitionStatus {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.CommandContext(w.t.Context(), path, "status", "--config", w.config, "-o", "json").Output()
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	var view struct {
		Capture   struct{ Position string }
		Pipelines []struct{ Partitions []partitionStatus }
	}
	if err := json.Unmarshal(out, &view); err != nil || view.Capture.Position == "" || len(view.Pipelines) != 1 {
		w.t.Fatalf("%v: %s", err, out)
	}
	return view.Pipelines[0].Partitions
}

// TestRedisIsAway: Cassandra gets everything meanwhile, a killed daemon's successor fills Redis up again, and so does
// the one that went on.
func TestRedisIsAway(t *testing.T) {
	w := newWorld(t)
	between, err := proxy.Listen(t.Context(), proxy.Options{Target: w.servers.Redis.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = between.Close() })
	away := func() { between.Refuse(true); between.ResetAll() }
	through := "--set=redis.address=" + between.Addr()
	w.start(through)
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()
	for turn, end := range []func(){
		func() { between.Refuse(false) },
		func() { w.running.kill(); between.Refuse(false); w.start(through) },
	} {
		away()
		w.exec(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
			SELECT id, gen_random_uuid(), 'play', now(), 1000 + n, 'ios' FROM content, generate_series(1, 50) n`)
		w.exec("UPDATE engagement_events SET duration_ms = duration_ms + 1 WHERE id % 3 = 0; DELETE FROM engagement_events WHERE id % 7 = 0")
		w.exec("UPDATE content SET length_seconds = length_seconds + 1, title = title || '!'")
		want := w.truth()
		w.eventually("cassandra to equal SQL without redis", func() string {
			got, err := w.cassandra("engagement_by_event")
			if err != nil {
				return err.Error()
			}
			return difference(want, got)
		})
		got, err := w.redis()
		if err != nil {
			t.Fatal(err)
		}
		if difference(want.without("raw_payload"), got) == "" {
			t.Fatal("redis was not away")
		}
		w.eventually("the status to tell that redis is behind", func() string {
			for _, p := range w.statusOf() {
				if p.Offset != nil && p.Stores["redis"] == *p.Offset && p.Stores["cassandra"] > *p.Offset {
					return ""
				}
			}
			return "no partition in which redis is behind cassandra"
		})
		end()
		w.awaitTruth()
		w.eventually("turn to be committed", func() string {
			for _, p := range w.statusOf() {
				if p.Lag > 0 {
					return "a partition lags"
				}
			}
			return ""
		})
		t.Log("turn", turn, "is through")
	}
	w.running.stop()
}
