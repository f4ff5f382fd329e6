package admin

import (
	"time"

	"penstock/cdc"
)

// stalled is how long a part may take between two signs of progress. A capture writes a
// position down and a sink hears of Kafka every 10 s when nothing happens, unless one step takes longer.
const stalled = 30 * time.Second

// Part is a part of the daemon as it is now.
type Part struct {
	Name   string
	State  string
	Ready  bool   // it does what it is for
	Why    string // it is not
	states []string
}

// The states of a sink.
const (
	sinkStarting = "starting" // it opens its stores, and joins its group
	sinkRunning  = "running"
)

// Parts are those of the daemon, in the order of the way of a change. A part is ready while it
// comes forward, not merely while it is there, and is so however far it is behind. A capture
// that stands by does what it is for.
func (d *Daemon) Parts() []Part { return d.view().parts() }

func (v *view) parts() (list []Part) {
	if c := v.capture; c != nil {
		p := Part{Name: "capture", State: string(c.State)}
		for _, state := range cdc.States() {
			p.states = append(p.states, string(state))
		}
		last := c.Committed
		if c.Began.After(last) {
			last = c.Began
		}
		switch silent := v.now.Sub(last); {
		case c.State == cdc.StandingBy:
			p.Ready = true
		case c.State != cdc.Streaming:
			p.Why = "it does not stream"
		case silent > stalled:
			p.Why = "no Kafka transaction was committed for " + silent.Round(time.Second).String()
		default:
			p.Ready = true
		}
		list = append(list, p)
	}
	for i := range v.pipelines {
		list = append(list, v.pipelines[i].part(v.now))
	}
	return list
}

func (p *pipelineView) part(now time.Time) Part {
	part := Part{Name: "sink/" + p.name, State: sinkRunning, states: []string{sinkStarting, sinkRunning}}
	if p.stats == nil || p.stats.Moved.IsZero() {
		part.State, part.Why = sinkStarting, "it has not read its topic yet"
		return part
	}
	silent := now.Sub(p.stats.Moved)
	if part.Ready = silent <= stalled; !part.Ready {
		part.Why = "nothing was carried, and nothing heard from Kafka, for " + silent.Round(time.Second).String()
	}
	return part
}
