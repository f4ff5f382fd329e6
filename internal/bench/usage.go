package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// lookEvery is how often processes are looked at: one that ends by itself is known up to then.
const lookEvery = 20 * time.Millisecond

// The roles of processes in a run.
const (
	roleReader    = "reader" // the daemon, Kafka Connect or pg_recvlogical
	roleWalsender = "walsender"
	roleBroker    = "broker"
)

// usage is what processes take of the machine while a reader reads.
type usage struct {
	load  float64 // average when it began
	began time.Time
	busy  time.Duration // of the machine, then
	ours  time.Duration // of this process and all below it, then

	mu      sync.Mutex
	watched map[string]*watched // by role; guarded by mu
}

// watched is one process.
type watched struct {
	pid   int
	began time.Duration // its CPU time when the run began
	cpu   time.Duration // and when it was last looked at
	peak  int64         // bytes of memory
}

// beginUsage begins to measure.
func beginUsage() (*usage, error) {
	load, err := loadAverage()
	if err != nil {
		return nil, err
	}
	busy, err := busyTime()
	return &usage{load: load, began: time.Now(), busy: busy, ours: treeTime(os.Getpid()), watched: map[string]*watched{}}, err
}

// watchNew watches a process that was started for the run.
func (u *usage) watchNew(role string, pid int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.watched[role] == nil {
		u.watched[role] = &watched{pid: pid}
	}
}

// watch watches a process that is older than the run.
func (u *usage) watch(role string, pid int) error {
	// The peak of its memory begins again; where that is not allowed, it is that of all runs.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	stat, err := readStat(pid)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.watched[role] = &watched{pid: pid, began: stat.own, cpu: stat.own}
	return nil
}

// watches tells whether the role has a process.
func (u *usage) watches(role string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.watched[role] != nil
}

// look reads what the watched processes have taken. One that is gone keeps what was last seen.
func (u *usage) look() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range u.watched {
		if stat, err := readStat(w.pid); err == nil {
			w.cpu = max(w.cpu, stat.own+stat.waited)
		}
		if peak, err := peakMemory(w.pid); err == nil {
			w.peak = max(w.peak, peak)
		}
	}
}

// keepLooking looks again and again until ctx ends. Before each look it calls also.
func (u *usage) keepLooking(ctx context.Context, also func()) {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for {
		also()
		u.look()
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// end ends the measurement, of a run of so long.
func (u *usage) end(r *Run) error {
	u.look()
	busy, err := busyTime()
	if err != nil {
		return err
	}
	r.Load = u.load
	r.Others = othersCores(busy-u.busy, treeTime(os.Getpid())-u.ours, time.Since(u.began))
	r.CPU = map[string]float64{}
	u.mu.Lock()
	defer u.mu.Unlock()
	for role, w := range u.watched {
		r.CPU[role] = (w.cpu - w.began).Seconds()
		if role == roleReader {
			r.PeakBytes = w.peak
		}
	}
	return nil
}

// othersCores is how many cores worked for processes that are not ours.
func othersCores(busy, ours, took time.Duration) float64 {
	return max(0, (busy-ours).Seconds()/took.Seconds())
}
