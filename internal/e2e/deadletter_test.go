package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/testdata"
)

const deadLetters = "pipelines.engagement_metrics.on_error=dead-letter"

// TestPoison: poison of every kind is written straight into the input topic among
// thousands of good records, and comes out of Postgres. The policy stop stops at
// it; with dead-letter each is one letter, also when the daemon is killed between
// letter and offset, and the others flow. When every letter is decided, both
// stores equal SQL.
func TestPoison(t *testing.T) {
	w := newWorld(t)
	w.createInput(8 << 20)
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()

	place := w.poison("first", &kgo.Record{Key: []byte("k"), Value: []byte("{\xff")})
	if code := d.exit(); code != 1 || !strings.Contains(d.log.String(), place) || !strings.Contains(d.log.String(), "header penstock.lsn is missing") {
		t.Fatalf("with the policy stop: exit code %d, want 1 and %q\n%s", code, place, d.log)
	}
	for range 2 {
		if code := w.startArmed("lettered:1", "--set", deadLetters).exit(); code != -1 {
			t.Fatalf("exit code %d, want death between letter and offset\n%s", code, w.running.log)
		}
	}
	w.running = w.start("--set", deadLetters)
	wait := w.startLoad(3000, 1)
	want := map[string]string{place: "bad-headers"}
	for name, r := range w.poisons() {
		want[w.poison(name, r)] = strings.TrimRight(name, "0123456789")
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	w.awaitTruth()
	w.eventually("the letters", func() string { return cmp.Diff(want, w.lettersByPlace("open")) })

	w.poisonFromPostgres()
	w.discardAtOnce(4)
	w.mendLetters()
	w.awaitTruth()
	w.running.stop()
	if got := w.lettersByPlace("retried"); len(got) < 4 {
		t.Errorf("%d letters were retried, want those of two keys and what waited for them: %v", len(got), got)
	}
}

// createInput creates the input topic for records as large as said.
func (w *world) createInput(bytes int) {
	w.t.Helper()
	limit := fmt.Sprint(bytes)
	if _, err := kadm.NewClient(w.kafka()).CreateTopic(w.t.Context(), 4, 1, map[string]*string{"max.message.bytes": &limit}, w.topic("input")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) kafka(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.servers.Kafka.Brokers...), kgo.ProducerBatchMaxBytes(8<<20), kgo.MaxBufferedBytes(64<<20))...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(cl.Close)
	return cl
}

// poisons are records of somebody who is not the capture, by the reason of their letters.
func (w *world) poisons() map[string]*kgo.Record {
	const content = "11111111-1111-1111-1111-111111111111"
	row := func(schema string) []byte {
		return []byte(`{"before":null,"after":{"id":"` + content + `","slug":"s","title":"t","content_type":"x","length_seconds":1,"publish_ts":null},` +
			`"op":"c","source":{"schema":"` + schema + `","table":"content","ts_us":1}}`)
	}
	hs := []kgo.RecordHeader{
		{Key: "penstock.lsn", Value: []byte("0/1")}, {Key: "penstock.seq", Value: []byte("0")},
		{Key: "penstock.xid", Value: []byte("7")}, {Key: "penstock.version", Value: []byte("1")},
	}
	return map[string]*kgo.Record{
		"bad-headers1":  {Key: []byte(content), Value: row("public")},
		"bad-headers2":  {Key: []byte(content), Value: row("public"), Headers: append(slices.Clone(hs[:3]), kgo.RecordHeader{Key: "penstock.version", Value: []byte("\xff")})},
		"bad-headers3":  {Key: []byte("large"), Value: bytes.Repeat([]byte("5 MB of what nobody knows "), 200_000)},
		"null-key":      {Value: row("public"), Headers: hs},
		"wrong-key":     {Key: []byte("x"), Value: row("public"), Headers: hs},
		"unknown-table": {Key: []byte(content), Value: row("elsewhere"), Headers: hs},
		"bad-value1":    {Key: []byte("nobody 1"), Value: []byte("{"), Headers: hs},
		"bad-value2":    {Key: []byte("nobody 2"), Headers: hs},
		"bad-value3":    {Key: []byte("nobody 3"), Value: bytes.ReplaceAll(row("public"), []byte(`"slug"`), []byte(`"slog"`)), Headers: hs},
	}
}

// poison writes a record into the input topic and returns its place.
func (w *world) poison(name string, r *kgo.Record) string {
	w.t.Helper()
	r.Topic = w.topic("input")
	if err := w.kafka().ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return fmt.Sprintf("partition %d offset %d", r.Partition, r.Offset)
}

// poisonFromPostgres makes two changes that cannot be processed, and others behind
// them that could; a third content flows.
func (w *world) poisonFromPostgres() {
	w.t.Helper()
	foreign := w.prefix + ":event:1000001"
	redis := w.latest
	if err := redis.Do(w.t.Context(), redis.B().Set().Key(foreign).Value("somebody's").Build()).Error(); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`
		UPDATE engagement_events SET event_ts = 'infinity' WHERE id = (SELECT min(id) FROM engagement_events WHERE content_id = '11111111-1111-1111-1111-111111111111');
		INSERT INTO engagement_events (id, content_id, event_type, event_ts) VALUES (1000001, '22222222-2222-2222-2222-222222222222', 'play', now())`)
	w.exec(`UPDATE content SET length_seconds = length_seconds + 1;
		UPDATE engagement_events SET device = 'late' WHERE id % 10 = 0;
		UPDATE engagement_events SET event_ts = '2025-08-25 10:00:00+00' WHERE event_ts = 'infinity'`)
	w.eventually("two keys to wait, and the third to flow", func() string {
		heads := map[string]int{}
		for _, l := range w.letters("open") {
			if l.Reason != "waits" && l.LSN != "" && l.LSN != "0/1" {
				heads[l.Reason]++
			}
		}
		if diff := cmp.Diff(map[string]int{"bad-value": 1, "refused-by-store": 1}, heads); diff != "" {
			return diff
		}
		got, err := w.cassandra("engagement_metrics")
		if err != nil {
			return err.Error()
		}
		flows := func(r rows) rows {
			maps.DeleteFunc(r, func(_ string, row map[string]string) bool {
				return row["content_id"] != "33333333-3333-3333-3333-333333333333"
			})
			return r
		}
		return difference(flows(w.truth()), flows(got))
	})
	if err := redis.Do(w.t.Context(), redis.B().Del().Key(foreign).Build()).Error(); err != nil {
		w.t.Fatal(err)
	}
}

// discardAtOnce lets some operators discard what is not the capture's, all of
// them everything at the same time. Each letter is decided by one of them.
func (w *world) discardAtOnce(operators int) {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, l := range w.letters("open") {
		if l.LSN == "" || l.LSN == "0/1" {
			ids = append(ids, l.ID)
		}
	}
	args := slices.Concat([]string{"dlq", "discard"}, ids, []string{"--reason", "not the capture's", "-c", w.config})
	outputs := make(chan string, operators) // one send each
	for range operators {
		go func() {
			cmd := exec.CommandContext(w.t.Context(), path, args...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != 5 {
				w.t.Errorf("exit code %d, %v\n%s", code, err, out)
			}
			outputs <- string(out)
		}()
	}
	var all string
	for range operators {
		all += <-outputs
	}
	for _, id := range ids {
		if n := strings.Count(all, "dead letter "+id+" discarded\n"); n+strings.Count(all, "dead letter "+id+" discarded: ") != 1 {
			w.t.Errorf("letter %s was decided %d times\n%s", id, n, all)
		}
	}
}

// mendLetters decides every letter that is left: what is refused is retried as it
// is, and an infinite time is corrected. The daemon is killed when what waited is stored and the offset is not committed.
func (w *world) mendLetters() {
	w.t.Helper()
	w.running.stop()
	d := w.startArmed("released:1", "--set", deadLetters)
	w.eventuallyOr(d, "no letter to be open", func() string {
		open := w.letters("open")
		for _, l := range open {
			switch l.Reason {
			case "waits":
			case "refused-by-store":
				w.penstock(0, "dlq", "retry", l.ID[:10])
			default:
				var whole struct{ Value string }
				if err := json.Unmarshal(w.penstock(0, "dlq", "show", l.ID, "-o", "json"), &whole); err != nil {
					w.t.Fatal(err)
				}
				file := filepath.Join(w.t.TempDir(), "corrected.json")
				if err := os.WriteFile(file, []byte(strings.ReplaceAll(whole.Value, `"infinity"`, `"2025-08-25T09:00:00Z"`)), 0o600); err != nil {
					w.t.Fatal(err)
				}
				w.penstock(0, "dlq", "retry", l.ID, "--value", file)
			}
		}
		if len(open) > 0 {
			return fmt.Sprintf("%d letters are open", len(open))
		}
		return ""
	})
}

// eventuallyOr is eventually, with a daemon that kills itself on the way: another
// takes its place.
func (w *world) eventuallyOr(d *daemon, what string, missing func() string) {
	w.t.Helper()
	died := false
	w.running = &daemon{t: w.t, done: make(chan error, 1)}
	w.eventually(what, func() string {
		select {
		case err := <-d.done:
			d.done <- err
			if d.exit() != -1 {
				w.t.Fatalf("exit code %d\n%s", d.exit(), d.log)
			}
			if !died {
				died = true
				w.start("--set", deadLetters)
			}
		default:
		}
		if left := missing(); left != "" || !died {
			return left + fmt.Sprintf(" (killed: %v)", died)
		}
		return ""
	})
}

type letter struct {
	ID, State, Reason, LSN, Topic string
	Partition                     int32
	Offset                        int64
}

func (w *world) letters(state string) (list []letter) {
	w.t.Helper()
	if err := json.Unmarshal(w.penstock(0, "dlq", "list", "--waiting", "--state", state, "-o", "json"), &list); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) lettersByPlace(state string) map[string]string {
	w.t.Helper()
	places := map[string]string{}
	for _, l := range w.letters(state) {
		place := fmt.Sprintf("partition %d offset %d", l.Partition, l.Offset)
		if _, twice := places[place]; twice || l.Topic != w.topic("input") {
			w.t.Errorf("letter %+v is there twice, or of another topic", l)
		}
		places[place] = l.Reason
	}
	return places
}

// penstock runs a command on the world's configuration and wants its exit code.
func (w *world) penstock(code int, args ...string) []byte {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), path, append(args, "-c", w.config)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.t.Fatalf("penstock %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, stderr.Bytes())
	}
	return out
}
