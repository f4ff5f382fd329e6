package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is one of the table.
type column struct {
	name string
	of   func(Line) string
}

// columns are those of a backlog or, with latencies, of a live load.
func columns(live bool) []column {
	how := []column{
		{"changes/s", func(l Line) string { return fmt.Sprintf("%.0f", l.Rate) }},
		{"least to most", func(l Line) string { return fmt.Sprintf("%.0f to %.0f", l.Least, l.Most) }},
		{"of limit", func(l Line) string { return positive("%.2f", l.OfLimit) }},
		{"of Debezium", func(l Line) string { return positive("%.2f", l.OfDebezium) }},
		{"first row, s", func(l Line) string { return positive("%.2f", l.First) }},
	}
	if live {
		milliseconds := func(name string, of func(*Latency) float64) column {
			return column{name, func(l Line) string { return fmt.Sprintf("%.1f", of(l.Latency)) }}
		}
		how = []column{
			{"commits/s", func(l Line) string { return fmt.Sprintf("%.0f", l.Rate) }},
			milliseconds("p50, ms", func(l *Latency) float64 { return l.P50 }),
			milliseconds("p99", func(l *Latency) float64 { return l.P99 }),
			milliseconds("p99.9", func(l *Latency) float64 { return l.P999 }),
			milliseconds("most", func(l *Latency) float64 { return l.Most }),
			milliseconds("load late, p99", func(l *Latency) float64 { return l.Late }),
		}
	}
	return slices.Concat([]column{{"reader", func(l Line) string { return l.Label }}}, how, []column{
		{"CPU s/million: reader", func(l Line) string { return positive("%.1f", l.CPU[roleReader]) }},
		{"walsender", func(l Line) string { return positive("%.1f", l.CPU[roleWalsender]) }},
		{"broker", func(l Line) string { return positive("%.1f", l.CPU[roleBroker]) }},
		{"peak MB", func(l Line) string { return fmt.Sprintf("%d", l.PeakBytes>>20) }},
		{"load", func(l Line) string { return fmt.Sprintf("%.1f", l.Load) }},
		{"others' cores", func(l Line) string { return fmt.Sprintf("%.2f", l.Others) }},
		{"noisy runs", func(l Line) string { return fmt.Sprintf("%d of %d", l.Noisy, len(l.Runs)) }},
	})
}

// positive leaves out what was not measured.
func positive(format string, value float64) string {
	if value <= 0 {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

// Write prints the report in Markdown.
func (r *Report) Write(w io.Writer) error {
	parts := []string{r.Machine.String()}
	for _, result := range r.Results {
		parts = append(parts, result.String())
	}
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

// String is a heading and a table in Markdown.
func (r *Result) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "### %s: %s, %d rows\n\n", r.Workload, r.About, r.Rows)
	var names, rules []string
	all := columns(slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Latency != nil }))
	for i, c := range all {
		names, rules = append(names, c.name), append(rules, "---:")
		if i == 0 {
			rules[0] = "---"
		}
	}
	row := func(cells []string) { fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | ")) }
	row(names)
	row(rules)
	for _, line := range r.Lines {
		var cells []string
		for _, c := range all {
			cells = append(cells, c.of(line))
		}
		row(cells)
	}
	return text.String()
}
