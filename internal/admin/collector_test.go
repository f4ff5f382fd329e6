package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/sink"
)

// moment is when the specimen is looked at.
var moment = time.Date(2025, 8, 25, 17, 13, 40, 0, time.UTC)

// specimen is a daemon that has something to say of every metric, and the stats behind it.
func specimen() (*Daemon, *cdc.Stats, *sink.Stats) {
	content, events := schema.TableName{Schema: "public", Name: "content"}, schema.TableName{Schema: "public", Name: "engagement_events"}
	hour := moment.Add(-time.Hour)
	running := backfill.New("a", events, backfill.Scope{}, hour)
	running.Rows, running.Chunks, running.Estimate, running.Planned = 3000, 3, 4000, true
	running.Parts = []backfill.Part{{Blocks: 40, Done: []backfill.Span{{From: 0, To: 30}}}}
	done := backfill.New("a", content, backfill.Scope{}, hour)
	done.Rows, done.Chunks = 7, 1
	done.End(backfill.Done, "", "", moment)
	capture := &cdc.Stats{
		State: cdc.Streaming, Received: 0x20, Delivered: 0x10, Version: hour.UnixMicro(), Committed: moment.Add(-time.Second),
		Transactions: 5, Commits: 4, Aborts: 1, Changes: []cdc.TableChanges{{Table: content, Op: schema.OpCreate, N: 11}, {Table: content, Op: schema.OpRead, N: 7}},
		Topics: []cdc.TopicVolume{{Topic: "s.public.content", Records: 18, Bytes: 1800}}, Backfills: []backfill.Progress{done.Progress(10), running.Progress(10)},
	}
	carried := &sink.Stats{
		Moved: moment, Stores: []sink.StoreStats{{Name: "cassandra"}, {Name: "redis", Open: true}}, Letters: map[deadletter.Reason]int64{deadletter.BadValue: 2},
	}
	d := NewDaemon(Build{"v1", "abc", "go1.26"}, []Pipeline{{Name: "m", Topic: "in", Progress: func(context.Context) ([]sink.PartitionProgress, error) {
		return []sink.PartitionProgress{
			{Progress: sink.Progress{Partition: 0, Offset: -1}},
			{
				Progress: sink.Progress{
					Partition: 1, Offset: 90, LSN: 0x16_B374D848, CommitTime: hour.UnixMicro(), Stores: map[string]int64{"cassandra": 100, "redis": 90},
				},
				Start: 95, End: 120, Lag: 30, Next: hour.UnixMicro(),
			},
		}, nil
	}}})
	d.now = func() time.Time { return moment }
	d.Captures(func() cdc.Stats { return *capture })
	d.Carries("m", func() sink.Stats { return *carried })
	return d, capture, carried
}

// format renders the metrics of the table as a scrape has them.
func format(t *testing.T, d *Daemon) (text string) {
	t.Helper()
	answer := httptest.NewRecorder()
	d.metrics().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d\n%s", answer.Code, answer.Body)
	}
	for line := range strings.Lines(answer.Body.String()) {
		if strings.Contains(line, "penstock_") {
			text += line
		}
	}
	return text
}

// golden holds text against a file, which REWRITE=1 in the environment writes anew.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs: %s", path, diff)
	}
}

func TestMetrics(t *testing.T) {
	d, _, _ := specimen()
	d.pipelines[0].look(t.Context(), d.now)
	golden(t, "testdata/metrics.txt", format(t, d))
	problems, err := testutil.GatherAndLint(d.registry())
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestEveryMetricHasAValue: the specimen would else say nothing of one that is added.
func TestEveryMetricHasAValue(t *testing.T) {
	d, _, _ := specimen()
	d.pipelines[0].look(t.Context(), d.now)
	v, seen := d.view(), map[string]bool{}
	for _, m := range Table() {
		values := 0
		m.read(v, func(_ float64, labels ...string) {
			if values++; len(labels) != len(m.Labels) {
				t.Errorf("%s: labels %q for %q", m.Name, labels, m.Labels)
			}
		})
		if values == 0 || seen[m.Name] {
			t.Errorf("%s: %d values, or twice in the table", m.Name, values)
		}
		seen[m.Name] = true
	}
}

// TestWhatDoesNotRunSaysNothing: a capture alone has no metrics of a sink, and the other way round.
func TestWhatDoesNotRunSaysNothing(t *testing.T) {
	whole, capture, _ := specimen()
	alone := NewDaemon(Build{}, nil)
	alone.Captures(func() cdc.Stats { return *capture })
	for _, c := range []struct {
		name   string
		daemon *Daemon
		bans   []string
	}{
		{"neither", NewDaemon(Build{}, nil), []string{"penstock_source", "penstock_kafka", "penstock_backfill", "penstock_sink", "penstock_dlq", "penstock_component"}},
		{"capture", alone, []string{"penstock_sink", "penstock_dlq"}},
		{"sink", NewDaemon(Build{}, []Pipeline{whole.pipelines[0].Pipeline}), []string{"penstock_source", "penstock_kafka", "penstock_backfill"}},
	} {
		text := format(t, c.daemon)
		for _, ban := range c.bans {
			if strings.Contains(text, ban) {
				t.Errorf("%s: %s in\n%s", c.name, ban, text)
			}
		}
	}
}

// TestProgressStaysWhenKafkaIsAway, with the time at which it was read.
func TestProgressStaysWhenKafkaIsAway(t *testing.T) {
	d, _, _ := specimen()
	p := d.pipelines[0]
	p.look(t.Context(), d.now)
	before := format(t, d)
	p.Progress = func(context.Context) ([]sink.PartitionProgress, error) { return nil, errors.New("no answer") }
	p.look(t.Context(), func() time.Time { return moment.Add(time.Minute) })
	if diff := cmp.Diff(before, format(t, d)); diff != "" {
		t.Error(diff)
	}
}

func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Daemon, *cdc.Stats, *sink.Stats)
		want  string
	}{
		"all is well":                {func(*Daemon, *cdc.Stats, *sink.Stats) {}, "capture streaming true, sink/m running true"},
		"far behind":                 {func(_ *Daemon, c *cdc.Stats, _ *sink.Stats) { c.Received = 1 << 40 }, "capture streaming true, sink/m running true"},
		"the server is away":         {func(_ *Daemon, c *cdc.Stats, _ *sink.Stats) { c.State = cdc.Waiting }, "capture waiting false, sink/m running true"},
		"another holds the slot":     {func(_ *Daemon, c *cdc.Stats, _ *sink.Stats) { c.State = cdc.StandingBy }, "capture standby true, sink/m running true"},
		"it streams, nothing comes":  {func(_ *Daemon, c *cdc.Stats, _ *sink.Stats) { c.Committed = moment.Add(-2 * stalled) }, "capture streaming false, sink/m running true"},
		"the stores are not open":    {func(d *Daemon, _ *cdc.Stats, _ *sink.Stats) { d.pipelines[0].sink = nil }, "capture streaming true, sink/m starting false"},
		"the topic is not there yet": {func(_ *Daemon, _ *cdc.Stats, s *sink.Stats) { s.Moved = time.Time{} }, "capture streaming true, sink/m starting false"},
		"no store answers":           {func(_ *Daemon, _ *cdc.Stats, s *sink.Stats) { s.Moved = moment.Add(-2 * stalled) }, "capture streaming true, sink/m running false"},
	} {
		t.Run(name, func(t *testing.T) {
			d, capture, carried := specimen()
			c.spoil(d, capture, carried)
			var got []string
			for _, p := range d.Parts() {
				got = append(got, fmt.Sprintf("%s %s %t", p.Name, p.State, p.Ready))
				if p.Ready == (p.Why != "") {
					t.Errorf("%s: ready %t, because %q", p.Name, p.Ready, p.Why)
				}
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

const (
	doc       = "../../docs/metrics.md"
	tableHead = "| Metric | Type | Labels | What it says |\n|---|---|---|---|\n"
)

// TestDocs holds the table of docs/metrics.md against that of the code, from which REWRITE=1 makes it.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableHead)
	if !found {
		t.Fatalf("%s has no table that begins with\n%s", doc, tableHead)
	}
	for rest != "" && rest[0] == '|' {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	got := before + tableHead
	for _, m := range Table() {
		got += fmt.Sprintf("| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), m.Help)
	}
	golden(t, doc, got+rest)
}
