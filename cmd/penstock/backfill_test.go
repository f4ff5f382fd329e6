package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/vbauerster/mpb/v8"

	"penstock/cdc/backfill"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
)

// jobTopic is a fake Kafka with a position topic, and a configuration that names it.
type jobTopic struct {
	t      *testing.T
	client *kgo.Client
}

func newJobTopic(t *testing.T) *jobTopic {
	t.Helper()
	t.Chdir(t.TempDir())
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "penstock.position"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	brokers := cluster.ListenAddrs()
	write(t, "penstock.yaml", strings.Replace(goodConfig, "127.0.0.1:1\"]", strings.Join(brokers, ",")+"\"]", 1))
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("penstock.position"), kgo.DefaultProduceTopic("penstock.position"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &jobTopic{t, client}
}

var content = schema.TableName{Schema: "public", Name: "content"}

// halfDone is a job of 66 chunks, of which 33 are done.
func halfDone() *backfill.Job {
	job := backfill.New("one", content, backfill.Scope{From: []string{"7"}}, time.Now().Add(-10*time.Second))
	job.Planned, job.Parts = true, []backfill.Part{{Name: content, Blocks: 66 * 512, Done: []backfill.Span{{From: 0, To: 33 * 512}}}}
	job.Rows, job.Dropped, job.Estimate, job.Chunks = 1_500_000, 7, 3_000_000, 33
	return job
}

func (j *jobTopic) put(job *backfill.Job, others ...*kgo.Record) {
	j.t.Helper()
	key, value, err := job.AppendRecord("s")
	if err == nil {
		err = j.client.ProduceSync(j.t.Context(), append(others, &kgo.Record{Key: key, Value: value})...).FirstErr()
	}
	if err != nil {
		j.t.Error(err)
	}
}

// TestAWatchAsLinesOfJSON has one for each look at each job, the last of them with how it ended.
func TestAWatchAsLinesOfJSON(t *testing.T) {
	topic := newJobTopic(t)
	job := halfDone()
	topic.put(job)
	time.AfterFunc(watchEvery/2, func() {
		job.Rows = 3_000_001
		job.End(backfill.Failed, "the table is gone", "nothing is left to be read", time.Now())
		topic.put(job)
	})
	got := execute(t, "", nil, "backfill", "list", "--watch", "-o", "jsonl")
	var lines []jobView
	for line := range strings.Lines(got.stdout) {
		var v jobView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, v)
	}
	if len(lines) != 3 || got.code != 1 || !strings.Contains(got.stdout, `"what":"the backfill of public.content failed"`) {
		t.Fatalf("exit code %d\n%s", got.code, got.stdout)
	}
	first, last := lines[0], lines[1]
	if first.State != "running" || first.Share != 0.5 || first.Rows != 1_500_000 || first.Chunks != 33 || first.ChunksAll != 66 || *first.Estimate != 3_000_000 ||
		first.From[0] != "7" || math.Abs(first.Rate-150_000) > 15_000 || math.Abs(*first.Left-10) > 1 {
		t.Errorf("first %+v", first)
	}
	if last.State != "failed" || last.Rows != 3_000_001 || last.Why != "the table is gone" || last.Left != nil {
		t.Errorf("last %+v", last)
	}
}

// capture meets each command with a job.
func (j *jobTopic) capture(meet func(id string) *backfill.Job) {
	go func() {
		for {
			fetches := j.client.PollFetches(j.t.Context())
			if j.t.Context().Err() != nil {
				return
			}
			for _, r := range fetches.Records() {
				var key struct{ Command string }
				if json.Unmarshal(r.Key, &key) == nil && key.Command != "" && r.Value != nil {
					j.put(meet(key.Command), &kgo.Record{Key: r.Key})
				}
			}
		}
	}()
}

// TestAStartThatHasFailed by the time it is shown is no success.
func TestAStartThatHasFailed(t *testing.T) {
	newJobTopic(t).capture(func(id string) *backfill.Job {
		job := backfill.New(id, content, backfill.Scope{}, time.Now())
		job.End(backfill.Failed, "the table has no key", "give it a primary key", time.Now())
		return job
	})
	got := execute(t, "", nil, "backfill", "start", "public.content", "--timeout", "1m")
	if got.code != 1 || !strings.Contains(got.stdout, "the table has no key (fix: give it a primary key)") ||
		!strings.Contains(got.stderr, "the backfill of public.content failed") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	got = execute(t, "", nil, "backfill", "start", "public.content", "--timeout", "1m", "-o", "json")
	if got.code != 1 || !json.Valid([]byte(got.stdout)) || got.stderr != "" {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// TestACommandThatComesSecond is told so at once, not when its time is over.
func TestACommandThatComesSecond(t *testing.T) {
	newJobTopic(t).capture(func(string) *backfill.Job { return halfDone() }) // it meets another's command first
	got := execute(t, "", nil, "backfill", "start", "public.content", "--timeout", "1m")
	if got.code != 5 || !strings.Contains(got.stderr, "✗ the command had no effect on it\n    at  table public.content\n    why another came first\n    fix penstock backfill list") {
		t.Errorf("exit code %d, %s", got.code, got.stderr)
	}
}

// TestBarsOfJobs show a job for as long as it runs, and how it ended.
func TestBarsOfJobs(t *testing.T) {
	var terminal bytes.Buffer
	bars := newJobBars(&terminal, mpb.ForceTTY(), mpb.WithWidth(120), mpb.WithAutoRefresh(), mpb.WithRefreshRate(10*time.Millisecond))
	job := halfDone()
	other := halfDone()
	other.Table.Name = "events"
	before := halfDone()
	before.ID = "zero"
	before.End(backfill.Done, "", "", time.Now())
	now := time.Now()
	view := func(j *backfill.Job) jobView { return viewJob(j, &config.Backfill{ChunkBlocks: 512}, now) }
	if err := bars.show([]jobView{view(job), view(other), view(before)}); err != nil {
		t.Fatal(err)
	}
	job.End(backfill.Done, "", "", now)
	other.End(backfill.Cancelled, "", "", now)
	if err := bars.show([]jobView{view(job), view(other)}); err != nil {
		t.Fatal(err)
	}
	if err := bars.end(); err != nil {
		t.Fatal(err)
	}
	drawn := strings.Split(strings.TrimSpace(terminal.String()), "\n")
	last := strings.Join(drawn[len(drawn)-2:], "\n")
	for _, want := range []string{"public.content " + strings.Repeat("█", barWidth) + " done, 1,500,000 rows", "public.events", "cancelled, 1,500,000 rows"} {
		if !strings.Contains(last, want) {
			t.Errorf("no %q at the end of\n%s", want, terminal.String())
		}
	}
}

func TestThePaceOfJobs(t *testing.T) {
	p, begun := pace{}, time.Now()
	at := func(after time.Duration, rows int64, share float64) string {
		v := jobView{ID: "one", State: string(backfill.Running), Rows: rows, Share: share}
		p.set(&v, begun.Add(after))
		return jobText(&v)
	}
	got := []string{
		at(0, 1_000_000, 0.5), // of whatever was before nothing is known
		at(2*time.Second, 1_100_000, 0.55),
		at(4*time.Second, 1_100_000, 0.55),
		at(20*time.Second, 1_100_000, 0.55), // it stands still
	}
	want := []string{
		"50%, 1,000,000 rows, chunk 0 of 0, 0/s, time left not known",
		"55%, 1,100,000 rows, chunk 0 of 0, 50,000/s, 18s left",
		"55%, 1,100,000 rows, chunk 0 of 0, 25,000/s, 36s left",
		"55%, 1,100,000 rows, chunk 0 of 0, 0/s, time left not known",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTablesAreSpelledAsInTheConfiguration, and what is shown can be given again.
func TestTablesAreSpelledAsInTheConfiguration(t *testing.T) {
	cfg := &config.Config{}
	cfg.Source.Name, cfg.Source.Matching = "s", []string{"later.*"}
	cfg.Source.Tables = []schema.TableName{content, {Schema: "fleet", Name: "trips"}, {Schema: "big", Name: "Odd.Name"}, {Schema: "a", Name: "twice"}, {Schema: "b", Name: "twice"}}
	for name, want := range map[string]string{
		"content": "public.content", "public.content": "public.content", `big."Odd.Name"`: `big."Odd.Name"`, "trips": "fleet.trips", `"trips"`: "fleet.trips",
		`"Odd.Name"`: `big."Odd.Name"`, "later.any": "later.any", "a.twice": "a.twice",
		"twice": "table twice is one of several (fix: write a.twice or b.twice)", "fleet.tripz": "table fleet.tripz is not captured (fix: did you mean fleet.trips?)",
		"elsewhere":    "table elsewhere is not captured (fix: list it in source.tables; captured are public.content, fleet.trips, big.\"Odd.Name\", a.twice, b.twice)",
		"big.Odd.Name": `"big.Odd.Name" is not a table name such as public.content (fix: '"big.Odd".Name', or 'big."Odd.Name"')`,
	} {
		tables, err := pickTables(cfg, []string{name})
		got := fmt.Sprint(err)
		if err == nil {
			got = config.FormatTable(tables[0])
		} else if fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v is no fault of usage", name, err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
