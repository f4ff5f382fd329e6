package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{
		{[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3},
	} {
		if got := median(c.of); got != c.want {
			t.Errorf("%v: got %v, want %v", c.of, got, c.want)
		}
	}
}

func TestOthersAreWhatIsNotOurs(t *testing.T) {
	for _, c := range []struct {
		busy, ours time.Duration
		want       float64
		noisy      bool
	}{
		{4 * time.Second, 3 * time.Second, 0.5, true},
		{3500 * time.Millisecond, 3 * time.Second, 0.25, false},
		{3 * time.Second, 3100 * time.Millisecond, 0, false}, // the two are counted apart
	} {
		got := othersCores(c.busy, c.ours, 2*time.Second)
		if got != c.want || noisy(got) != c.noisy {
			t.Errorf("%v of which %v: got %v, noisy %v, want %v, %v", c.busy, c.ours, got, noisy(got), c.want, c.noisy)
		}
	}
}

func TestANoisyRunIsRepeated(t *testing.T) {
	for _, c := range []struct {
		name    string
		others  []float64 // of each attempt
		retries int
		want    float64
		noisy   bool
		took    int
	}{
		{"quiet at once", []float64{0.1, 0}, 2, 0.1, false, 1},
		{"quiet at last", []float64{0.9, 0.8, 0.2}, 2, 0.2, false, 3},
		{"never quiet", []float64{0.9, 0.5, 0.7, 0}, 2, 0.5, true, 3},
		{"not repeated", []float64{0.9, 0}, 0, 0.9, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			took := 0
			run, err := quietest(c.retries, func() (Run, error) {
				took++
				return Run{Others: c.others[took-1]}, nil
			})
			if err != nil || run.Others != c.want || run.Noisy != c.noisy || took != c.took {
				t.Errorf("got %v, noisy %v after %d attempts, %v, want %v, %v after %d", run.Others, run.Noisy, took, err, c.want, c.noisy, c.took)
			}
		})
	}
	broken := errors.New("rows are missing")
	if _, err := quietest(2, func() (Run, error) { return Run{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v: a wrong run is not repeated", err)
	}
}

func TestEachReaderIsFirstOnce(t *testing.T) {
	var got [][]int
	for round := range 3 {
		got = append(got, order(3, round))
	}
	if diff := cmp.Diff([][]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}, got); diff != "" {
		t.Error(diff)
	}
}

// some is a reader that has been measured.
type some struct {
	reader
	text string
}

func (s some) name() string  { return s.text }
func (s some) label() string { return "the " + s.text }

func TestReportInMarkdown(t *testing.T) {
	run := func(seconds, others float64) Run {
		cpu := map[string]float64{roleReader: seconds / 2, roleBroker: 0.1}
		return Run{Changes: 1000, Seconds: seconds, First: 0.25, CPU: cpu, PeakBytes: 64 << 20, Load: 1.5, Others: others, Noisy: noisy(others)}
	}
	result := Result{Workload: "drain", About: "a backlog", Rows: 1000, Lines: []Line{
		sum(some{text: nameLimit}, []Run{run(1, 0), run(0.5, 0.1), run(4, 0.2)}),
		sum(some{text: namePenstock}, []Run{run(2, 0), run(2, 0.5), run(4, 0)}),
		sum(some{text: nameDebezium}, []Run{run(10, 0)}),
	}}
	result.Lines[0].First = 0
	result.compare()
	report := Report{
		Machine: Machine{
			Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Cores: 2, CPU: "a processor", Memory: 24 << 30, Kernel: "6.1",
			Versions: []Version{{"Postgres", "18.6"}, {"Kafka", "4.4.0"}},
		},
		Results: []*Result{&result},
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = `2026-01-02 03:04:05, 2 cores (a processor), 24 GiB, Linux 6.1; Postgres 18.6, Kafka 4.4.0

### drain: a backlog, 1000 rows

| reader | changes/s | least to most | of limit | of Debezium | first row, s | CPU s/million: reader | walsender | broker | peak MB | load | others' cores | noisy runs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| the limit | 1000 | 250 to 2000 | 1.00 | 10.00 | - | 500.0 | - | 100.0 | 64 | 1.5 | 0.10 | 0 of 3 |
| the penstock | 500 | 250 to 500 | 0.50 | 5.00 | 0.25 | 1000.0 | - | 100.0 | 64 | 1.5 | 0.00 | 1 of 3 |
| the debezium | 100 | 100 to 100 | 0.10 | 1.00 | 0.25 | 5000.0 | - | 100.0 | 64 | 1.5 | 0.00 | 0 of 1 |
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLatenciesAreMedians(t *testing.T) {
	run := func(ms float64) Run {
		latency := &Latency{P50: ms, P99: 2 * ms, P999: 3 * ms, Most: 4 * ms, Late: ms / 10}
		return Run{Changes: 1000, Seconds: 0.5, Latency: latency, CPU: map[string]float64{roleReader: 0.001}, PeakBytes: 64 << 20}
	}
	result := Result{Workload: "live", About: "a load", Rows: 1000, Lines: []Line{sum(some{text: namePenstock}, []Run{run(9), run(1), run(5)})}}
	const want = `### live: a load, 1000 rows

| reader | commits/s | p50, ms | p99 | p99.9 | most | load late, p99 | CPU s/million: reader | walsender | broker | peak MB | load | others' cores | noisy runs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| the penstock | 2000 | 5.0 | 10.0 | 15.0 | 20.0 | 0.5 | 1.0 | - | - | 64 | 0.0 | 0.00 | 0 of 3 |
`
	if diff := cmp.Diff(want, result.String()); diff != "" {
		t.Error(diff)
	}
}
