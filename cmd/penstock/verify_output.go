package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"penstock/sink/verify"
)

// verifyOutput prints a comparison: differences on standard output as they are found,
// progress on standard error.
type verifyOutput struct {
	app      *app
	pipeline string
	most     int
	repairs  bool
	progress verify.Progress
	terminal bool // standard error is one
	began    time.Time

	mu      sync.Mutex
	drawn   bool // a bar stands on the last line
	printed int
	more    int // differences that are not printed
	failed  error
}

func newVerifyOutput(a *app, pipeline string, from *verifyFlags) *verifyOutput {
	return &verifyOutput{app: a, pipeline: pipeline, most: from.most, repairs: from.repair, terminal: isTerminal(a.stderr), began: time.Now()}
}

// write prints on standard output, and keeps the first failure. The caller holds mu.
func (o *verifyOutput) write(text string) {
	o.clear()
	if _, err := io.WriteString(o.app.stdout, text); err != nil && o.failed == nil {
		o.failed = err
	}
}

// difference prints one difference. With --repair each comes twice: only the second
// time, when it is known what became of it, is it printed.
func (o *verifyOutput) difference(d verify.Difference) {
	o.mu.Lock()
	defer o.mu.Unlock()
	settled := d.Repaired || d.Unrepaired != "" || d.Kind == verify.Changing
	if o.repairs != settled && d.Kind != verify.Changing {
		return
	}
	if o.printed == o.most {
		o.more++
		return
	}
	o.printed++
	if o.app.data() {
		o.line(d)
		return
	}
	o.write(differenceText(&d, o.app.palette(o.app.stdout)))
}

// line prints a value as one line of JSON.
func (o *verifyOutput) line(value any) {
	text, err := json.Marshal(value)
	if err != nil && o.failed == nil {
		o.failed = err
	}
	o.write(string(text) + "\n")
}

func differenceText(d *verify.Difference, p palette) string {
	var b strings.Builder
	mark := p.cross()
	switch {
	case d.Repaired:
		mark = p.tick()
	case d.Kind == verify.Changing:
		mark = "~"
	}
	_, _ = fmt.Fprintf(&b, "%s %s  %s  %s %s\n", mark, p.bold(d.Place), d.Kind, d.Table, printable(d.Key))
	name := 0
	for _, f := range d.Fields {
		name = max(name, visible(f.Name))
	}
	for _, f := range d.Fields {
		_, _ = fmt.Fprintf(&b, "    %s  %s\n", f.Name+strings.Repeat(" ", name-visible(f.Name)), sidesText(d.Kind, f, p))
	}
	note := func(label, text string) {
		if text != "" {
			_, _ = fmt.Fprintf(&b, "    %s %s\n", p.dim(label), indent(printable(text), 8))
		}
	}
	note("why", d.Why)
	note("left", cmp.Or(d.Unrepaired, d.ByHand))
	return b.String()
}

// sidesText is both values of a field, or the one that there is.
func sidesText(kind verify.Kind, f verify.Field, p palette) string {
	switch kind {
	case verify.Missing:
		return p.dim("postgres ") + valueText(f.Postgres)
	case verify.Extra:
		return p.dim("store ") + valueText(f.Store)
	default:
		return p.dim("postgres ") + valueText(f.Postgres) + p.dim("  store ") + valueText(f.Store)
	}
}

// longValue is how much of a value is printed for people.
const longValue = 200

func valueText(v *string) string {
	if v == nil {
		return "NULL"
	}
	text := *v
	if len(text) > longValue {
		text = strings.ToValidUTF8(text[:longValue], "") + "…"
	}
	return strconv.Quote(text)
}

// done prints the result.
func (o *verifyOutput) done(r *verify.Report) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.app.data() {
		o.line(struct {
			*verify.Report

			LSN     string  `json:"lsn"`
			Equal   bool    `json:"equal"`
			Omitted int     `json:"omitted"`
			Seconds float64 `json:"seconds"`
		}{r, r.LSN.String(), r.Left == 0, o.more, r.Elapsed.Seconds()})
		return o.failed
	}
	p := o.app.palette(o.app.stdout)
	if o.more > 0 {
		o.write(fmt.Sprintf("  and %d more, which --max leaves out\n", o.more))
	}
	t := table{header: []string{"PLACE", "POSTGRES", "THERE"}}
	for _, c := range r.Counts {
		t.add(c.Place, grouped(c.Postgres), grouped(c.Store))
	}
	o.write(t.plain())
	for _, text := range r.Notes {
		o.write("  " + printable(text) + "\n")
	}
	o.write(verdict(r, p))
	return o.failed
}

func verdict(r *verify.Report, p palette) string {
	took := fmt.Sprintf("at LSN %s, in %s", r.LSN, r.Elapsed.Round(100*time.Millisecond))
	var b strings.Builder
	if r.Left == 0 && slices.ContainsFunc(r.Counts, func(c verify.Count) bool { return c.Postgres != c.Store }) {
		b.WriteString("  counts are of the first look: rows that differed then were looked at again\n")
	}
	switch {
	case r.Differences == 0:
		_, _ = fmt.Fprintf(&b, "%s %s equals Postgres %s; %s rows were looked at again\n", p.tick(), r.Pipeline, took, grouped(r.Looked))
	case r.Left == 0:
		_, _ = fmt.Fprintf(&b, "%s %s equals Postgres %s; repaired %s\n", p.tick(), r.Pipeline, took, grouped(r.Repaired))
	default:
		_, _ = fmt.Fprintf(&b, "%s %s differs from Postgres %s: %s differences, %s repaired\n",
			p.cross(), r.Pipeline, took, grouped(r.Differences), grouped(r.Repaired))
	}
	if r.Changing > 0 {
		_, _ = fmt.Fprintf(&b, "~ %s rows changed each time that they were looked at: nothing is said of them\n", grouped(r.Changing))
	}
	return b.String()
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// The pauses between two looks at the progress.
const (
	drawEvery = 200 * time.Millisecond // as a bar
	sayEvery  = 5 * time.Second        // as lines
)

// watch shows the progress until the function that it returns is called.
func (o *verifyOutput) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var shown sync.WaitGroup
	every := sayEvery
	if o.terminal {
		every = drawEvery
	}
	shown.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var m meter
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				o.show(m.read(&o.progress, now))
			}
		}
	})
	return func() {
		cancel()
		shown.Wait()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.clear()
	}
}

func (o *verifyOutput) show(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if text == "" {
		return
	}
	o.clear()
	if o.drawn = o.terminal; !o.terminal {
		text += "\n"
	}
	_, _ = io.WriteString(o.app.stderr, o.pipeline+": "+text) // nothing depends on it
}

// clear takes the bar off the terminal. The caller holds mu.
func (o *verifyOutput) clear() {
	if o.drawn {
		_, _ = io.WriteString(o.app.stderr, "\r\x1b[K")
		o.drawn = false
	}
}

// meter makes a rate of what it reads, over the last seconds.
type meter struct {
	stage string
	began time.Time
}

const barWidth = 24

// read words the progress, empty for none.
func (m *meter) read(from *verify.Progress, now time.Time) string {
	stage, done, total := from.Now()
	if stage == "" {
		return ""
	}
	if stage != m.stage {
		m.stage, m.began = stage, now
	}
	text := stage
	if total > 0 {
		share := min(float64(done)/float64(total), 1)
		filled := int(share * barWidth)
		text += fmt.Sprintf("  %s%s %3.0f %%", strings.Repeat("█", filled), strings.Repeat("░", barWidth-filled), 100*share)
	}
	if done > 0 {
		text += fmt.Sprintf("  %s rows", grouped(done))
	}
	passed := now.Sub(m.began).Seconds()
	if passed < 1 || done == 0 {
		return text
	}
	rate := float64(done) / passed
	text += fmt.Sprintf("  %s/s", grouped(int64(rate)))
	if left := total - done; left > 0 {
		text += fmt.Sprintf("  about %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
