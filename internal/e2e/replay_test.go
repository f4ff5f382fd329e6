package e2e_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/testdata"
)

// replayed is what penstock replay says of its one pipeline.
type replayed struct{ Read, Written, Unchanged int64 }

func (w *world) replay(store, from string) replayed {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.CommandContext(w.t.Context(), path, "replay", "--config", w.config, "--store", store, "--from", from, "-o", "json").Output()
	var list []replayed
	if err != nil || json.Unmarshal(out, &list) != nil || len(list) != 1 {
		w.t.Fatalf("replay --store %s --from %s: %v: %s", store, from, err, out)
	}
	return list[0]
}

// hashes are the hashes of events as they stand; without tombstones.
func (w *world) hashes() rows { return w.hashesOf(":event:") }

func (w *world) hashesOf(kind string) rows {
	w.t.Helper()
	out := rows{}
	err := eachHash(w.t.Context(), w.latest, w.prefix+kind, func(id string, hash map[string]string) {
		if hash["_d"] == "" && len(hash) > 0 {
			out[id] = maps.Clone(hash)
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// empty removes the pipeline's keys from Redis, as FLUSHALL would all of them.
func (w *world) empty() {
	w.t.Helper()
	for _, kind := range []string{":event:", ":content:"} {
		for id := range w.hashesOf(kind) {
			if err := w.latest.Do(w.t.Context(), w.latest.B().Del().Key(w.prefix+kind+id).Build()).Error(); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// written is the version and the time of writing of each event in Cassandra's tables.
func (w *world) written() rows {
	w.t.Helper()
	out := rows{}
	for _, table := range []string{"engagement_metrics", "engagement_by_event"} {
		iter := w.history.Query("SELECT event_id, version, writetime(version), writetime(event_type), writetime(duration_ms) FROM " + table).IterContext(w.t.Context())
		var id, version, first int64
		var second, third *int64
		for iter.Scan(&id, &version, &first, &second, &third) {
			row := map[string]string{"version": strconv.FormatInt(version, 10), "first": strconv.FormatInt(first, 10)}
			putInt(row, "second", second)
			putInt(row, "third", third)
			out[table+"/"+strconv.FormatInt(id, 10)] = row
		}
		if err := iter.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}

// TestReplays: a Redis that was flushed is as before, from either source, while the daemon runs; and into stores
// that have everything a replay writes nothing.
func TestReplays(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.exec(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT id, gen_random_uuid(), 'play', '2026-03-01 23:59:59.123456+00'::timestamptz + n * interval '7 hours', 1000 + n, 'ios' FROM content, generate_series(1, 400) n`)
	w.exec("UPDATE content SET length_seconds = length_seconds + 1")
	w.exec("UPDATE engagement_events SET duration_ms = duration_ms + 1 WHERE id % 3 = 0")
	w.exec("DELETE FROM engagement_events WHERE id % 7 = 0")
	w.exec("UPDATE content SET publish_ts = now()") // no column of the result
	w.awaitTruth()
	w.awaitDrained()
	before, totals, written := w.hashes(), w.hashesOf(":content:"), w.written()
	if len(totals) < 3 {
		t.Fatalf("%d totals compare little", len(totals))
	}
	if len(before) < 500 {
		t.Fatalf("%d hashes compare little", len(before))
	}
	for _, from := range []string{"cassandra", "kafka"} {
		w.empty()
		if left := w.hashes(); len(left) > 0 {
			t.Fatalf("%d hashes are left", len(left))
		}
		if got := w.replay("redis", from); got.Written < int64(len(before)) {
			t.Errorf("from %s: %+v, want %d hashes written", from, got, len(before))
		}
		if diff := cmp.Diff(before, w.hashes()); diff != "" {
			t.Errorf("redis, emptied and filled from %s (-before +after):\n%.2000s", from, diff)
		}
		if diff := cmp.Diff(totals, w.hashesOf(":content:")); diff != "" {
			t.Errorf("totals of redis, emptied and filled from %s (-before +after):\n%.2000s", from, diff)
		}
		if got := w.replay("redis", from); got.Written != 0 || got.Unchanged < int64(len(before)) {
			t.Errorf("from %s again: %+v, want nothing written", from, got)
		}
	}
	w.replay("cassandra", "kafka")
	if diff := cmp.Diff(written, w.written()); diff != "" {
		t.Errorf("cassandra, filled and replayed (-before +after):\n%.2000s", diff)
	}
	w.exec("UPDATE engagement_events SET device = 'tv' WHERE id % 5 = 0")
	w.awaitTruth()
	w.running.stop()
}
