package admin

import (
	"context"
	"sync"
	"time"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/sink"
)

// Build is what the program was built of.
type Build struct{ Version, Commit, Go string }

// Pipeline is one that the daemon carries.
type Pipeline struct {
	Name  string
	Topic string // its input topic

	// Progress reads how far every partition is, from Kafka.
	Progress func(context.Context) ([]sink.PartitionProgress, error)
}

const (
	readEvery = 10 * time.Second // progress, from Kafka
	readLimit = 10 * time.Second // for one pipeline
)

// Daemon is what is said of a daemon. Its methods may be called from any goroutine.
type Daemon struct {
	build     Build
	pipelines []*pipeline
	now       func() time.Time

	mu      sync.Mutex
	capture func() cdc.Stats // guarded by mu; nil where none runs
}

// pipeline is what is known of one.
type pipeline struct {
	Pipeline

	mu         sync.Mutex
	sink       func() sink.Stats        // guarded by mu; nil until it runs
	partitions []sink.PartitionProgress // guarded by mu; replaced, not changed
	read       time.Time                // guarded by mu: when they were
}

// NewDaemon returns a daemon of which nothing runs yet.
func NewDaemon(build Build, pipelines []Pipeline) *Daemon {
	d := &Daemon{build: build, now: time.Now}
	for _, p := range pipelines {
		d.pipelines = append(d.pipelines, &pipeline{Pipeline: p})
	}
	return d
}

// Captures says that the daemon has a capture.
func (d *Daemon) Captures(stats func() cdc.Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capture = stats
}

// Carries says that the sink of a pipeline has been made.
func (d *Daemon) Carries(name string, stats func() sink.Stats) {
	for _, p := range d.pipelines {
		if p.Name == name {
			p.mu.Lock()
			p.sink = stats
			p.mu.Unlock()
		}
	}
}

// Run reads the progress of the pipelines, now and then, until ctx ends. What cannot be read
// stays as it was: when it was read is a metric of its own.
func (d *Daemon) Run(ctx context.Context) {
	if len(d.pipelines) == 0 {
		return
	}
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		for _, p := range d.pipelines {
			p.look(ctx, d.now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pipeline) look(ctx context.Context, now func() time.Time) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	partitions, err := p.Progress(ctx)
	if err != nil {
		return // the sink meets the same, and says it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partitions, p.read = partitions, now()
}

// view is a daemon at one moment.
type view struct {
	now       time.Time
	build     Build
	capture   *cdc.Stats // nil where none runs
	pipelines []pipelineView
}

type pipelineView struct {
	name, topic string
	stats       *sink.Stats // nil until it runs
	partitions  []sink.PartitionProgress
	read        time.Time
}

func (d *Daemon) view() *view {
	v := &view{now: d.now(), build: d.build}
	d.mu.Lock()
	capture := d.capture
	d.mu.Unlock()
	if capture != nil {
		stats := capture()
		v.capture = &stats
	}
	for _, p := range d.pipelines {
		p.mu.Lock()
		one, carries := pipelineView{name: p.Name, topic: p.Topic, partitions: p.partitions, read: p.read}, p.sink
		p.mu.Unlock()
		if carries != nil {
			stats := carries()
			one.stats = &stats
		}
		v.pipelines = append(v.pipelines, one)
	}
	return v
}

func (v *view) backfills() []backfill.Progress {
	if v.capture == nil {
		return nil
	}
	return v.capture.Backfills
}
