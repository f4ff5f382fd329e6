package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/testdata"
)

// TestVerify compares the preset while it is written to, without a false alarm; then it
// damages every place in every way, finds exactly that, and mends it.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.exec(`INSERT INTO engagement_events (content_id, event_type, event_ts, duration_ms, device, raw_payload)
		SELECT '11111111-1111-1111-1111-111111111111', 'play', now() - n * interval '1 second', n, E'a\tb\\\n"ü', '{"n": 1.50}' FROM generate_series(1, 600) n`)
	w.awaitTruth()
	stop := w.writing(
		pacing,
		"INSERT INTO engagement_events (content_id, event_type, event_ts, duration_ms) SELECT id, 'play', now(), 1000 FROM content",
		"UPDATE engagement_events SET duration_ms = duration_ms + 1 WHERE id = (SELECT min(id) FROM engagement_events)", // a hot row
		"UPDATE engagement_events SET device = device || 'x' WHERE id IN (SELECT id FROM engagement_events ORDER BY random() LIMIT 5)",
		"UPDATE content SET length_seconds = length_seconds + 1 WHERE slug = 'ai-documentary'", // and all of its events
		"DELETE FROM engagement_events WHERE id IN (SELECT id FROM engagement_events WHERE id > 4 ORDER BY random() LIMIT 2)",
		"UPDATE engagement_events SET event_ts = event_ts + interval '1 day' WHERE id IN (SELECT id FROM engagement_events ORDER BY random() LIMIT 2)",
	)
	// Verify goes on when a change has come, and may be done before the next of these: others come all the time.
	halt := w.writing(5*time.Millisecond,
		"UPDATE engagement_events SET duration_ms = duration_ms + 1 WHERE id = (SELECT id FROM engagement_events ORDER BY id OFFSET floor(random() * 500) LIMIT 1)")
	looked, changing := int64(0), int64(0)
	for run := 0; run < 3 || run < 30 && looked == 0; run++ { // until one meets a row on its way
		total := w.equalMeanwhile(fmt.Sprintf("run %d while rows are written", run), nil).totals["engagement_metrics"]
		looked, changing = looked+total.Rechecked, changing+total.Changing
	}
	stop()
	halt()
	t.Logf("%d rows were looked at again, %d were changing to the end", looked, changing)
	if looked == 0 {
		t.Error("no row was looked at again: nothing was written meanwhile, it seems")
	}
	w.awaitTruth()
	w.equal("at rest", nil)
	w.damagePreset()
	w.awaitTruth()
	w.equal("repaired", nil)
	w.strangers()
	w.running.stop()
}

// damagePreset damages each place of the preset in each way.
func (w *world) damagePreset() {
	w.t.Helper()
	w.exec(`INSERT INTO engagement_events (id, content_id, event_type, event_ts, duration_ms, device)
		SELECT 900000 + n, '33333333-3333-3333-3333-333333333333', 'play', '2026-03-01 10:00:00.5+00', 1500, 'tv' FROM generate_series(1, 9) n`)
	w.awaitTruth()
	length := w.text("SELECT length_seconds::text FROM content WHERE slug = 'ai-documentary'")
	const content, at = "33333333-3333-3333-3333-333333333333", "content_id = 33333333-3333-3333-3333-333333333333 AND day = '2026-03-01' AND event_ts = '2026-03-01T10:00:00.500Z'"
	version := func(id int) (version int64) {
		if err := w.history.Query("SELECT version FROM engagement_by_event WHERE event_id = ?", id).ScanContext(w.t.Context(), &version); err != nil {
			w.t.Fatal(err)
		}
		return version
	}
	second, third, fifth := version(900002), version(900003), version(900005)
	key := func(id string) string { return w.prefix + ":event:" + id }
	w.cql(
		"DELETE FROM engagement_by_event WHERE event_id = 900001",
		fmt.Sprintf("UPDATE engagement_by_event USING TIMESTAMP %d SET device = 'tv' WHERE event_id = 900002", second+1),
		fmt.Sprintf("UPDATE engagement_by_event USING TIMESTAMP %d SET device = 'forged' WHERE event_id = 900003", third+100),
		"INSERT INTO engagement_by_event (event_id, content_id, event_type, version) VALUES (987654321, "+content+", 'play', 77) USING TIMESTAMP 77",
		"DELETE FROM engagement_metrics WHERE "+at+" AND event_id = 900004",
		fmt.Sprintf("UPDATE engagement_metrics USING TIMESTAMP %d SET slug = null, length_seconds = 1 WHERE %s AND event_id = 900005", fifth+100, at),
		"INSERT INTO engagement_metrics (content_id, day, event_ts, event_id, version) VALUES ("+content+", '2026-03-02', '2026-03-01T10:00:00.500Z', 900006, 78) USING TIMESTAMP 78",
		fmt.Sprintf("UPDATE content USING TIMESTAMP %d SET title = 'forged' WHERE content_id = %s", fifth+100, content),
		"INSERT INTO content (content_id, slug, version) VALUES (99999999-9999-9999-9999-999999999999, 'forged', 5) USING TIMESTAMP 5",
	)
	w.redisDo(
		[]string{"DEL", key("900001")},
		[]string{"HSET", key("900007"), "device", "forged", "more", "x"},
		[]string{"HDEL", key("900008"), "duration_ms_str"},
		[]string{"HSET", key("900009"), "_v", "1"},
		[]string{"HSET", key("987654322"), "event_id", "987654322", "_v", fmt.Sprintf("%020d", 9)},
	)
	stamp := func(from, to int64) string {
		return fmt.Sprintf(" timestamp=%d, the version|%d to %d", from, from, to)
	}
	want := []string{
		"cassandra engagement_by_event: missing id=900001",
		"cassandra engagement_by_event: different id=900002" + stamp(second, second+1),
		"cassandra engagement_by_event: different id=900003 device=tv|forged" + stamp(third, third+100),
		"cassandra engagement_by_event: extra id=987654321 at event_id=987654321",
		"cassandra engagement_metrics: missing id=900004",
		"cassandra engagement_metrics: different id=900005 slug=ai-documentary|NULL length_seconds=" + length + "|1" + stamp(fifth, fifth+100),
		"cassandra engagement_metrics: extra id=900006 at content_id=" + content + " day=2026-03-02 00:00:00 event_ts=2026-03-01 10:00:00.500000 event_id=900006",
		"cassandra content: extra id=99999999-9999-9999-9999-999999999999 at content_id=99999999-9999-9999-9999-999999999999",
		"redis: missing id=900001",
		"redis: different id=900007 device=tv|forged (other fields)=NULL|more=x",
		"redis: different id=900008 duration_ms_str=1500|NULL",
		"redis: different id=900009 timestamp=NULL|\"1\" is no version",
		"redis: extra id=987654322 at key=" + key("987654322"),
	}
	v := w.verify(nil)
	got := v.words()
	title := slices.IndexFunc(got, func(text string) bool {
		return strings.HasPrefix(text, "cassandra content: different id="+content+" title=AI Documentary 2025|forged timestamp=")
	})
	if title < 0 {
		w.t.Fatalf("the title of the content is not among %q\n%s", got, v.stderr)
	}
	got = slices.Delete(got, title, title+1)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || v.code != 4 {
		w.t.Fatalf("exit code %d (-want +found):\n%s\n%s", v.code, diff, v.stderr)
	}
	w.repairs("damage everywhere", int64(len(want)+1), nil)
}

// strangers are differences that a repair cannot mend, and says so.
func (w *world) strangers() {
	w.t.Helper()
	id := w.text("SELECT max(id)::text FROM engagement_events")
	high, foreign, nobody := w.prefix+":event:"+id, w.prefix+":event:987654323", w.prefix+":event:nobody"
	w.redisDo([]string{"HSET", high, "_v", "09000000000000000000"}, []string{"SET", foreign, "somebody's"}, []string{"HSET", nobody, "event_id", "1"})
	v := w.verify(nil, "--repair")
	left := map[string]string{}
	for _, f := range v.found {
		left[f.Key] = f.Unrepaired
	}
	want := map[string]string{
		"id=" + id:                       "", // its hash kept every change out
		"id=987654323 at key=" + foreign: "it is nothing that the pipeline has written: delete it, or rename it",
		"no row's at key=" + nobody:      "it is nothing that the pipeline has written: delete it, or rename it",
	}
	if diff := cmp.Diff(want, left); diff != "" || v.code != 4 {
		w.t.Fatalf("exit code %d (-want +left):\n%s\n%s", v.code, diff, v.stderr)
	}
	for name, total := range v.totals {
		if total.ByHand != 2 {
			w.t.Errorf("%s: %d differences are to be mended by hand, want 2", name, total.ByHand)
		}
	}
	w.redisDo([]string{"DEL", foreign, nobody})
	w.equal("what was in the way is deleted", nil)

	// A row that only Kafka and so the stores have. Its delete is the source's to send.
	record := []byte(`{"before":null,"after":{"id":987654324,"content_id":null,"user_id":null,"event_type":"play","event_ts":"2026-03-01T10:00:00Z",` +
		`"duration_ms":1,"device":null,"raw_payload":null},"op":"c","source":{"schema":"public","table":"engagement_events","ts_us":1}}`)
	headers := []kgo.RecordHeader{
		{Key: "penstock.lsn", Value: []byte("0/1")}, {Key: "penstock.seq", Value: []byte("0")},
		{Key: "penstock.xid", Value: []byte("7")}, {Key: "penstock.version", Value: []byte("1")},
	}
	w.poison("a forged row", &kgo.Record{Key: []byte{}, Value: record, Headers: headers})
	places := map[string]bool{}
	for _, f := range w.verify(nil).found {
		places[f.Place+" "+f.Kind] = strings.HasPrefix(f.Key, "id=987654324")
	}
	wantPlaces := map[string]bool{
		"kafka public.engagement_events extra": true, "cassandra engagement_metrics extra": true, "cassandra engagement_by_event extra": true, "redis extra": true,
	}
	if diff := cmp.Diff(wantPlaces, places); diff != "" {
		w.t.Fatalf("a forged row (-want +found):\n%s", diff)
	}

	// And a cell of the future, which Cassandra keeps.
	w.cql("UPDATE engagement_by_event USING TIMESTAMP 9000000000000000 SET device = 'forged' WHERE event_id = " + id)
	left = map[string]string{}
	for _, f := range w.verify(nil, "--repair").found {
		left[f.Place+" "+f.Key] = f.Unrepaired
	}
	const no = "Kafka lacks the row's delete, and nothing but the capture writes there"
	if got := left["kafka public.engagement_events id=987654324"]; got != no {
		w.t.Errorf("of the forged row in Kafka: %q, want %q", got, no)
	}
	const never = "no change replaces it: delete it in the store, and repair again once its tombstone is gone"
	if got := left["cassandra engagement_by_event id="+id]; got != never {
		w.t.Errorf("of a cell of the future: %q, want %q", got, never)
	}
}

// TestVerifySaysWhatIsBehind asks for a comparison that cannot be made, or not yet.
func TestVerifySaysWhatIsBehind(t *testing.T) {
	w := newWorld(t)
	says := func(when string, code int, args []string, parts ...string) {
		t.Helper()
		v := w.verify(nil, args...)
		for _, part := range parts {
			if !strings.Contains(v.stderr, part) {
				t.Errorf("%s: %q is not said:\n%s", when, part, v.stderr)
			}
		}
		if v.code != code {
			t.Errorf("%s: exit code %d, want %d", when, v.code, code)
		}
	}
	says("before the first start", 2, nil, "there is no table", "penstock run")
	says("another pipeline", 2, []string{"engagement"}, "unknown pipeline", "did you mean engagement_metrics?")
	w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()
	w.equal("the seed", nil)
	w.running.stop()
	w.exec("UPDATE engagement_events SET device = 'tv'")
	says("no capture", 3, []string{"--timeout", "2s"}, "capture "+w.slot(), "its position is ", "penstock run")
	w.start("--only", "capture")
	w.awaitStreaming()
	says("no sink", 3, []string{"--timeout", "15s"}, "group "+w.topic("group"), "partition ", " behind", "start the sink: ")
	w.running.stop()
	w.start()
	w.awaitStreaming()
	w.equal("everything runs", nil)
	w.running.stop()
}

// TestVerifyNamesTheDeadLetter compares rows that wait for a dead letter: they differ, and
// it is said what they wait for.
func TestVerifyNamesTheDeadLetter(t *testing.T) {
	w := newWorld(t)
	w.start("--set", deadLetters)
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()
	w.exec("UPDATE engagement_events SET event_ts = 'infinity' WHERE id = 1; UPDATE engagement_events SET device = 'late' WHERE id IN (2, 4)")
	var letter string
	w.eventually("the letter", func() string {
		for _, l := range w.letters("open") {
			if l.Reason == "bad-value" {
				letter = l.ID
				return ""
			}
		}
		return "it is not there"
	})
	v := w.verify(nil, "--repair")
	kinds := map[string]bool{}
	for _, f := range v.found {
		kinds[f.Place+" "+f.Kind+" "+f.Key] = true
		if f.Waiting != letter || !strings.Contains(f.Unrepaired, letter) {
			t.Errorf("%s %s %s waits for %q, want %q: %s", f.Place, f.Kind, f.Key, f.Waiting, letter, f.Unrepaired)
		}
	}
	want := map[string]bool{}
	for _, place := range []string{"cassandra engagement_metrics", "cassandra engagement_by_event", "redis"} {
		want[place+" unreadable id=1"], want[place+" different id=2"] = true, true
	}
	want["kafka public.engagement_events unreadable id=1"] = true
	if diff := cmp.Diff(want, kinds); diff != "" || v.code != 4 {
		t.Errorf("exit code %d (-want +found):\n%s", v.code, diff)
	}
	w.running.stop()
}
