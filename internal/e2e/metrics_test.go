package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"penstock/testdata"
)

// adminAddress is where the daemon says that it listens.
func (w *world) adminAddress(d *daemon) (address string) {
	w.t.Helper()
	said := regexp.MustCompile(`"admin listens","address":"([^"]+)"`)
	w.eventually("the admin listener", func() string {
		found := said.FindStringSubmatch(d.log.String())
		if found == nil {
			return "not said"
		}
		address = found[1]
		return ""
	})
	return address
}

// ask returns the status and the body of an answer of the admin listener.
func (w *world) ask(address, path string) (status int, body string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// scrape is what the daemon's metrics are, by name and labels as they are written.
func (w *world) scrape(address string) map[string]float64 {
	w.t.Helper()
	status, text := w.ask(address, "/metrics")
	if status != http.StatusOK {
		w.t.Fatalf("status %d: %s", status, text)
	}
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if err != nil {
			w.t.Fatalf("%q: %v", line, err)
		}
		values[line[:at]] = value
	}
	return values
}

// TestMetricsSayWhatTheCommandsSay: they move while a table is read, and at rest they are what backfill list and status print.
func TestMetricsSayWhatTheCommandsSay(t *testing.T) {
	w := newWorld(t)
	w.exec(testdata.Seed)
	const before = 20_000
	w.exec(fmt.Sprintf(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT '11111111-1111-1111-1111-111111111111', gen_random_uuid(), 'play', now() - i * INTERVAL '1 minute', i, 'tv' FROM generate_series(1, %d) i`, before))
	d := w.start("--set=admin.listen=127.0.0.1:0", "--set=backfill.chunk_blocks=8", "--set=backfill.rows_per_second=5000")
	address := w.adminAddress(d)
	w.awaitStreaming()
	w.penstock(0, "backfill", "start", "public.engagement_events", "public.content")
	w.awaitMoving(address)
	w.penstock(0, "backfill", "list", "--watch")
	w.exec("UPDATE engagement_events SET device = 'radio' WHERE duration_ms < 100")
	w.awaitDrained()

	w.eventually("the metrics to be what the commands print", func() string {
		values := w.scrape(address)
		for name, want := range w.printed() {
			if got, found := values[name]; !found || got != want {
				return fmt.Sprintf("%s is %g (found: %t), want %g", name, got, found, want)
			}
		}
		return ""
	})
	values := w.scrape(address)
	if n := values[`penstock_source_changes_total{op="r",table="public.engagement_events"}`]; n < before {
		t.Errorf("%g rows read, want at least %d", n, before)
	}
	if n := values[`penstock_kafka_records_total{topic="`+w.topic("engagement_events")+`"}`]; n < before || n >= float64(w.delivered()) {
		t.Errorf("%g records in the topic of events, which has %d offsets with those of markers", n, w.delivered())
	}
	if status, text := w.ask(address, "/readyz"); status != http.StatusOK || text != "capture streaming: ok\nsink/engagement_metrics running: ok\n" {
		t.Errorf("/readyz: %d %s", status, text)
	}

	w.testExit(t, exit{
		code: 2, args: []string{"admin.listen=" + address},
		says: []string{"cannot listen on " + address, "at  admin.listen", "why another process listens there", "fix stop it, or name another port"},
	})
	d.stop()
	if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address); err == nil {
		conn.Close()
		t.Errorf("somebody listens on %s after the daemon's end", address)
	}
}

// awaitMoving returns when the metrics have shown the backfill of the events at three places on its way.
func (w *world) awaitMoving(address string) {
	w.t.Helper()
	const of = `{table="public.engagement_events"}`
	var seen []float64
	w.eventually("the backfill to move in the metrics", func() string {
		v := w.scrape(address)
		rows, running := v["penstock_backfill_rows_total"+of], v[`penstock_backfill_state{state="running",table="public.engagement_events"}`]
		if _, left := v["penstock_backfill_eta_seconds"+of]; rows > 0 && running == 1 && left && !slices.Contains(seen, rows) {
			seen = append(seen, rows)
		}
		if len(seen) < 3 {
			return fmt.Sprintf("rows %v", seen)
		}
		return ""
	})
	if !slices.IsSorted(seen) {
		w.t.Errorf("the rows of the backfill: %v", seen)
	}
}

// printed are the metrics that the commands print, too.
func (w *world) printed() map[string]float64 {
	w.t.Helper()
	want := map[string]float64{}
	var jobs []struct {
		Table, State string
		Rows, Chunks int64
		ChunksAll    int64 `json:"chunks_total"`
		Estimate     *int64
	}
	w.read(&jobs, "backfill", "list")
	for _, j := range jobs {
		of := fmt.Sprintf("{table=%q}", j.Table)
		want["penstock_backfill_rows_total"+of], want["penstock_backfill_chunks_done"+of] = float64(j.Rows), float64(j.Chunks)
		want["penstock_backfill_chunks_total"+of] = float64(j.ChunksAll)
		want[fmt.Sprintf("penstock_backfill_state{state=%q,table=%q}", j.State, j.Table)] = 1
		if j.Estimate != nil {
			want["penstock_backfill_rows_estimated"+of] = float64(*j.Estimate)
		}
	}
	var view struct {
		Pipelines []struct {
			Name, Topic string
			Partitions  []struct {
				Partition  int32
				Offset     *int64
				Start, End int64
				Lag        int64
				Stores     map[string]int64
				Behind     float64 `json:"behind_seconds"`
				Time       *time.Time
			}
		}
	}
	w.read(&view, "status")
	for _, pipeline := range view.Pipelines {
		for _, p := range pipeline.Partitions {
			at := fmt.Sprintf("{partition=%q,pipeline=%q,topic=%q}", strconv.Itoa(int(p.Partition)), pipeline.Name, pipeline.Topic)
			want["penstock_sink_end_offset"+at], want["penstock_sink_lag_records"+at], want["penstock_sink_lag_seconds"+at] = float64(p.End), float64(p.Lag), p.Behind
			if p.Offset != nil {
				want["penstock_sink_offset"+at] = float64(*p.Offset)
			}
			if p.Time != nil {
				want["penstock_sink_last_commit_timestamp_seconds"+at] = float64(p.Time.UnixMicro()) / 1e6
			}
			for store, offset := range p.Stores {
				of := strings.Replace(at, ",topic", fmt.Sprintf(",store=%q,topic", store), 1)
				want["penstock_sink_store_offset"+of] = float64(offset)
			}
		}
	}
	if len(jobs) != 2 || len(want) < 4*len(jobs)+4*4 {
		w.t.Fatalf("the commands print %d jobs and %v", len(jobs), want)
	}
	return want
}

// read is what a command prints as JSON.
func (w *world) read(into any, command ...string) {
	w.t.Helper()
	if err := json.Unmarshal(w.penstock(0, append(command, "-o", "json")...), into); err != nil {
		w.t.Fatal(err)
	}
}
