package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"penstock/cdc/backfill"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
)

// watchEvery is the pause between two looks at jobs that run.
const watchEvery = time.Second

// watchJobs shows every second how far those have come that run, until none does: as bars on a
// terminal, as lines of JSON for programs, else as lines of text.
func (a *app) watchJobs(ctx context.Context, cfg *config.Config, tables []schema.TableName) error {
	var shown jobsShown = &jobLines{a.stderr}
	switch {
	case a.output.value == "jsonl":
		shown = jobData{a}
	case isTerminal(a.stderr):
		shown = newJobBars(a.stderr)
	}
	pace := pace{}
	for {
		jobs, err := pickJobs(ctx, cfg, tables)
		if err != nil {
			return errors.Join(shown.end(), err)
		}
		running, now := false, time.Now()
		views := make([]jobView, len(jobs))
		for i, j := range jobs {
			views[i] = viewJob(j, &cfg.Backfill, now)
			pace.set(&views[i], now)
			running = running || j.State == backfill.Running
		}
		if err := shown.show(views); err != nil {
			return err
		}
		if !running {
			return errors.Join(shown.end(), a.endWatch(cfg, jobs))
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return errors.Join(shown.end(), context.Cause(ctx))
		}
	}
}

// endWatch shows what became of the jobs.
func (a *app) endWatch(cfg *config.Config, jobs []*backfill.Job) error {
	if a.output.value != "jsonl" { // whose last lines say it
		if err := a.showJobs(cfg, jobs, nil); err != nil {
			return err
		}
	}
	return failedJobs(jobs)
}

// failedJobs is the error of jobs of which some have failed.
func failedJobs(jobs []*backfill.Job) error {
	var failed []string
	for _, j := range jobs {
		if j.State == backfill.Failed {
			failed = append(failed, config.FormatTable(j.Table))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Runtime, What: "the backfill of " + strings.Join(failed, ", ") + " failed", Fix: "see what is said of it above"}
}

// pace makes a rate and an estimate of what was seen in the last seconds: a job that was
// paused, or ran on another machine, did not always go as fast as now.
type pace map[string][]glance

// glance is how far a job was at a time.
type glance struct {
	at    time.Time
	rows  int64
	share float64
}

// paceOver is how far back a pace looks.
const paceOver = 15 * time.Second

// set replaces the rate and the estimate of a job that runs, once there is something to go by.
func (p pace) set(v *jobView, now time.Time) {
	if v.State != string(backfill.Running) {
		delete(p, v.ID+v.Table)
		return
	}
	seen := p[v.ID+v.Table]
	seen = append(seen, glance{now, v.Rows, v.Share})
	for len(seen) > 2 && now.Sub(seen[0].at) > paceOver {
		seen = seen[1:]
	}
	p[v.ID+v.Table] = seen
	passed := now.Sub(seen[0].at).Seconds()
	if passed < 1 {
		return
	}
	v.Rate, v.Left = float64(v.Rows-seen[0].rows)/passed, nil
	if moved := v.Share - seen[0].share; moved > 0 {
		left := (1 - v.Share) / moved * passed
		v.Left = &left
	}
}

// jobText is how far a job has come, without its table.
func jobText(v *jobView) string {
	rows := grouped(v.Rows)
	if v.Estimate != nil {
		rows += " of about " + grouped(max(*v.Estimate, v.Rows))
	}
	left := "time left not known"
	if v.Left != nil {
		left = seconds(*v.Left) + " left"
	}
	return fmt.Sprintf("%.0f%%, %s rows, chunk %d of %d, %s/s, %s", math100(v.Share), rows, v.Chunks, v.ChunksAll, grouped(int64(v.Rate)), left)
}

// jobsShown is a way to show jobs, again and again.
type jobsShown interface {
	show(views []jobView) error
	end() error // nothing more is shown
}

// jobData is a line of JSON for each look at a job.
type jobData struct{ app *app }

func (d jobData) show(views []jobView) error { return d.app.writeData(views) }
func (d jobData) end() error                 { return nil }

// jobLines is a line of text for each look at a job that runs.
type jobLines struct{ to io.Writer }

func (l *jobLines) show(views []jobView) error {
	for i := range views {
		if v := &views[i]; v.State == string(backfill.Running) {
			if _, err := fmt.Fprintf(l.to, "%s %s\n", printable(v.Table), jobText(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *jobLines) end() error { return nil }

// jobBars are bars on a terminal, one for each job that was seen to run.
type jobBars struct {
	all  *mpb.Progress
	bars map[string]*jobBar
}

// jobBar is the bar of a job. What it says is read while it is drawn, by another goroutine.
type jobBar struct {
	*mpb.Bar

	mu   sync.Mutex
	text string // guarded by mu
}

// barParts are the steps of a bar.
const barParts = 1000

func newJobBars(to io.Writer, options ...mpb.ContainerOption) *jobBars {
	return &jobBars{all: mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(to)}, options...)...), bars: map[string]*jobBar{}}
}

func (b *jobBars) show(views []jobView) error {
	for i := range views {
		v := &views[i]
		bar := b.bars[v.ID+v.Table]
		if bar == nil {
			if v.State != string(backfill.Running) {
				continue
			}
			bar = &jobBar{}
			bar.Bar = b.all.New(
				barParts, mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound(""), mpb.PrependDecorators(decor.Name(printable(v.Table), decor.WCSyncSpaceR)),
				mpb.AppendDecorators(decor.Any(bar.said)), mpb.BarWidth(barWidth), mpb.BarFillerTrim(),
			)
			b.bars[v.ID+v.Table] = bar
		}
		bar.say(v)
	}
	return nil
}

func (b *jobBar) said(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text
}

// say shows how far the job has come, and ends the bar with it.
func (b *jobBar) say(v *jobView) {
	text := jobText(v)
	if v.State != string(backfill.Running) {
		text = fmt.Sprintf("%s, %s rows", v.State, grouped(v.Rows))
	}
	b.mu.Lock()
	b.text = " " + text
	b.mu.Unlock()
	switch {
	case v.State == string(backfill.Running):
		b.SetCurrent(min(int64(v.Share*barParts), barParts-1))
	case v.State == string(backfill.Done):
		b.SetCurrent(barParts)
	default:
		b.Abort(false)
	}
}

func (b *jobBars) end() error {
	for _, bar := range b.bars {
		bar.Abort(false) // of those that are done it has no effect
	}
	b.all.Wait()
	return nil
}
