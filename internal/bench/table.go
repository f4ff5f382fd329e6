package bench

import (
	"fmt"
	"io"
	"strings"
)

// columns of the table, in their order.
func columns() []struct {
	name string
	of   func(Line) string
} {
	return []struct {
		name string
		of   func(Line) string
	}{
		{"reader", func(l Line) string { return l.Label }},
		{"rows/s", func(l Line) string { return fmt.Sprintf("%.0f", l.Rate) }},
		{"least to most", func(l Line) string { return fmt.Sprintf("%.0f to %.0f", l.Least, l.Most) }},
		{"of limit", func(l Line) string { return positive("%.2f", l.OfLimit) }},
		{"of Debezium", func(l Line) string { return positive("%.2f", l.OfDebezium) }},
		{"first row, s", func(l Line) string { return positive("%.2f", l.First) }},
		{"CPU s/million: reader", func(l Line) string { return positive("%.1f", l.CPU[roleReader]) }},
		{"walsender", func(l Line) string { return positive("%.1f", l.CPU[roleWalsender]) }},
		{"broker", func(l Line) string { return positive("%.1f", l.CPU[roleBroker]) }},
		{"peak MB", func(l Line) string { return fmt.Sprintf("%d", l.PeakBytes>>20) }},
		{"load", func(l Line) string { return fmt.Sprintf("%.1f", l.Load) }},
		{"others' cores", func(l Line) string { return fmt.Sprintf("%.2f", l.Others) }},
		{"noisy runs", func(l Line) string { return fmt.Sprintf("%d of %d", l.Noisy, len(l.Runs)) }},
	}
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
	text := r.Machine.String()
	for _, result := range r.Results {
		text += "\n" + result.String()
	}
	_, err := io.WriteString(w, text)
	return err
}

// String is a heading and a table in Markdown.
func (r *Result) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "### %s: %s, %d rows\n\n", r.Workload, r.About, r.Rows)
	var names, rules []string
	for i, c := range columns() {
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
		for _, c := range columns() {
			cells = append(cells, c.of(line))
		}
		row(cells)
	}
	return text.String()
}
