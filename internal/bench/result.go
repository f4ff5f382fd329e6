package bench

import "slices"

// maxOthers is how many cores may work for others without a run being noisy.
const maxOthers = 0.25

// Run is what was measured of a reader once.
type Run struct {
	Changes   int64              `json:"changes"`
	Seconds   float64            `json:"seconds"`                     // from the start of the reader until the last row can be read
	First     float64            `json:"first_row_seconds,omitempty"` // from there until the first row can be read, where it was looked for
	Latency   *Latency           `json:"latency,omitempty"`           // of a live load
	CPU       map[string]float64 `json:"cpu_seconds"`                 // by role, user and system
	PeakBytes int64              `json:"peak_bytes"`                  // the largest resident set of the reader
	Load      float64            `json:"load_average"`                // of the last minute before the run
	Others    float64            `json:"other_cores"`                 // that worked for processes which are not the measurement's
	Noisy     bool               `json:"noisy"`                       // too much of Others, in every attempt
}

// noisy tells whether others have taken so much of the machine that the run does not count.
func noisy(others float64) bool { return others > maxOthers }

// Line is a reader's runs, in medians.
type Line struct {
	Reader     string             `json:"reader"`
	Label      string             `json:"label"`
	Rate       float64            `json:"changes_per_second"`
	Least      float64            `json:"least_changes_per_second"`
	Most       float64            `json:"most_changes_per_second"`
	OfLimit    float64            `json:"of_limit,omitempty"`    // 0 if that was not measured
	OfDebezium float64            `json:"of_debezium,omitempty"` // 0 if that was not measured
	First      float64            `json:"first_row_seconds,omitempty"`
	Latency    *Latency           `json:"latency,omitempty"`               // each a median of its own
	CPU        map[string]float64 `json:"cpu_seconds_per_million_changes"` // by role
	PeakBytes  int64              `json:"peak_bytes"`                      // the largest of all
	Load       float64            `json:"load_average"`
	Others     float64            `json:"other_cores"`
	Noisy      int                `json:"noisy_runs"`
	Runs       []Run              `json:"runs"`
}

// Result is a workload, read by every reader.
type Result struct {
	Workload string `json:"workload"`
	About    string `json:"about"`
	Rows     int64  `json:"rows"`
	Lines    []Line `json:"readers"`
}

// Report is all that one command has measured, and where.
type Report struct {
	Machine Machine   `json:"machine"`
	Results []*Result `json:"results"`
}

// sum makes a line of runs, at least one.
func sum(who reader, runs []Run) Line {
	rate := func(r Run) float64 { return float64(r.Changes) / r.Seconds }
	rates := each(runs, rate)
	line := Line{
		Reader: who.name(), Label: who.label(), Runs: runs, CPU: map[string]float64{},
		Rate: median(rates), Least: slices.Min(rates), Most: slices.Max(rates),
		First:  median(each(runs, func(r Run) float64 { return r.First })),
		Load:   median(each(runs, func(r Run) float64 { return r.Load })),
		Others: median(each(runs, func(r Run) float64 { return r.Others })),
	}
	if runs[0].Latency != nil {
		of := func(value func(*Latency) float64) float64 {
			return median(each(runs, func(r Run) float64 { return value(r.Latency) }))
		}
		line.Latency = &Latency{
			P50: of(func(l *Latency) float64 { return l.P50 }), P99: of(func(l *Latency) float64 { return l.P99 }),
			P999: of(func(l *Latency) float64 { return l.P999 }), Most: of(func(l *Latency) float64 { return l.Most }),
			Late: of(func(l *Latency) float64 { return l.Late }),
		}
	}
	for role := range runs[0].CPU {
		line.CPU[role] = median(each(runs, func(r Run) float64 { return r.CPU[role] / float64(r.Changes) * 1e6 }))
	}
	for _, r := range runs {
		line.PeakBytes = max(line.PeakBytes, r.PeakBytes)
		if r.Noisy {
			line.Noisy++
		}
	}
	return line
}

func each(runs []Run, value func(Run) float64) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = value(r)
	}
	return values
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// compare fills in the ratios: to the limit, and to Debezium's connector.
func (r *Result) compare() {
	limit, debezium := r.rate(nameLimit), r.rate(nameDebezium)
	for i := range r.Lines {
		line := &r.Lines[i]
		if limit > 0 {
			line.OfLimit = line.Rate / limit
		}
		if debezium > 0 {
			line.OfDebezium = line.Rate / debezium
		}
	}
}

// rate is that of a reader; 0 if it was not measured.
func (r *Result) rate(reader string) float64 {
	for _, line := range r.Lines {
		if line.Reader == reader {
			return line.Rate
		}
	}
	return 0
}
