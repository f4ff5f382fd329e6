package chaos

import (
	"context"
	"errors"
	"strings"
	"time"

	"penstock/internal/fault"
)

// judge looks at what is left when a run is over.
func (w *world) judge(err error) {
	if w.judgeEnd(err) {
		w.judgeProxies()
	}
}

// judgeEnd looks at the daemons' ends, err being why the run was not played to its
// end. What the rig itself could not do is an objection; then the daemons may have
// ended for want of a server, and it is false.
func (w *common) judgeEnd(err error) bool {
	if err != nil {
		text := []string{err.Error()}
		for _, d := range w.daemons {
			text = append(text, d.Name+" says at last:", d.LogTail(3))
		}
		why := strings.Join(text, "\n")
		if f, ok := errors.AsType[*finding](err); ok {
			w.wrong(f.kind, "%s", why)
		} else {
			w.object("%s", why)
			return false
		}
	}
	w.judgeExits()
	return true
}

// judgeProxies objects to what the proxies could not follow: rules may have missed it.
func (w *world) judgeProxies() {
	misread := w.rig.broker.Stats().Malformed - w.malformed
	for _, l := range w.links {
		misread += l.Stats().Malformed
	}
	if misread > 0 {
		w.object("the proxies could not read %d connections", misread)
	}
	hanging := 0
	for _, d := range w.daemons {
		hanging += strings.Count(d.Log(), "ended a transaction that the broker had left open")
	}
	w.figure("hanging", hanging)
}

// stopDaemons ends all of them gracefully; that takes them 10 s at most.
func (w *common) stopDaemons(ctx context.Context) error {
	for _, d := range w.daemons {
		d.Hold()
		if !d.Running() {
			continue // its end is among the exits
		}
		began := time.Now()
		exit, err := d.Terminate(ctx)
		if err != nil {
			return err
		}
		if took := time.Since(began); exit.Code != 0 || took > stopTimeout {
			w.wrong(Stop, "%s: graceful stop: %s after %s\n%s", d.Name, exit, took.Round(time.Millisecond), d.LogTail(5))
		}
	}
	return nil
}

// judgeExits counts the daemons' ends that nobody asked for: a service would have
// needed no hand to go on, but the daemon should not have needed the service.
func (w *common) judgeExits() {
	unexpected, peak := 0, int64(0)
	for _, d := range w.daemons {
		peak = max(peak, d.Peak())
		for _, exit := range d.Exits() {
			kind := Ended
			switch {
			case exit.Asked:
				continue
			case exit.Code == fault.Refused.ExitCode() && (len(w.daemons) > 1 || w.unchecked):
				continue // another daemon has the slot
			case exit.Code == fault.PositionLost.ExitCode():
				kind = Refused
			}
			unexpected++
			w.wrong(kind, "%s ended by itself: %s", d.Name, exit)
		}
	}
	w.figure("ends", unexpected)
	w.figure("rss_mb", peak>>20)
	if peak > memoryMax {
		w.wrong(Memory, "a daemon had %d MB resident, %d are allowed", peak>>20, memoryMax>>20)
	}
}
