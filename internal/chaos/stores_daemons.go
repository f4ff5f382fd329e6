package chaos

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// The sorts of faults.
const (
	sortKill   = "kill"   // a daemon by SIGKILL
	sortLeave  = "leave"  // a daemon by SIGTERM, back after a while
	sortZombie = "zombie" // a daemon held for longer than the group waits, then let go on
	sortStored = "stored" // a daemon that has written to the stores and not committed the offsets
)

// kill ends a daemon by SIGKILL; the supervisor starts it again at once.
func (w *storeWorld) kill(ctx context.Context, d *Daemon) error { return w.killAs(ctx, d, sortKill) }

func (w *storeWorld) killAs(ctx context.Context, d *Daemon, sort string) error {
	w.count()
	exit, err := d.Kill(ctx)
	if err != nil {
		return err
	}
	if exit.Signal == syscall.SIGKILL {
		w.saw(sort, "%s", exit)
	} else {
		w.miss("%s, want death by SIGKILL", exit)
	}
	return nil
}

// leave ends a daemon gracefully, and lets it come back after a while.
func (w *storeWorld) leave(ctx context.Context, d *Daemon) error {
	w.count()
	d.Hold()
	defer d.Release()
	began := time.Now()
	exit, err := d.Terminate(ctx)
	if err != nil {
		return err
	}
	if took := time.Since(began); exit.Code != 0 || took > stopTimeout {
		w.wrong(Stop, "%s: SIGTERM: %s after %s\n%s", d.Name, exit, took.Round(time.Millisecond), d.LogTail(5))
	} else {
		w.saw(sortLeave, "%s", exit)
	}
	return pause(ctx, w.between(200*time.Millisecond, 2*time.Second))
}

// holdAsZombie stops a daemon's process until the group has given its partitions to
// others, and lets it go on: it may write what it had begun, and must commit nothing.
func (w *storeWorld) holdAsZombie(ctx context.Context, d *Daemon, meanwhile func(context.Context) error) error {
	if err := w.group.await(ctx, members); err != nil { // else it may be none yet
		return err
	}
	before, err := w.group.members(ctx)
	if err != nil {
		return err
	}
	w.count()
	if err := d.Pause(); err != nil {
		return err
	}
	pid, began := d.PID(), time.Now()
	held := awaitStopped(ctx, pid)
	err = meanwhile(ctx)
	if err == nil {
		err = eventually(ctx, upTimeout, "the group to go on without it", func(ctx context.Context) (string, error) {
			now, err := w.group.members(ctx)
			switch {
			case err != nil:
				return "", err
			case time.Since(began) < sessionTimeout:
				return "it may wait still", nil
			case len(now) >= len(before) && overlap(before, now) == len(before):
				return "it has the same members", nil
			}
			return "", nil
		})
	}
	held = held && stopped(pid)
	if resumeErr := d.Resume(); resumeErr != nil {
		return resumeErr
	}
	if err != nil {
		return err
	}
	if held {
		w.saw(sortZombie, "pid %d was stopped for %s, the group went on without it", pid, time.Since(began).Round(time.Second))
	} else {
		w.miss("pid %d was not seen stopped", pid)
	}
	return nil
}

// overlap is how many of a are in b.
func overlap(a, b []string) int {
	in := map[string]bool{}
	for _, s := range b {
		in[s] = true
	}
	n := 0
	for _, s := range a {
		if in[s] {
			n++
		}
	}
	return n
}

// crash lets a daemon run into a failpoint of its sink.
func (w *storeWorld) crash(ctx context.Context, d *Daemon, failpoint string) error {
	const within = 40 * time.Second // it joins the group anew
	w.count()
	d.Hold()
	defer d.Release()
	if d.Running() {
		if _, err := d.Terminate(ctx); err != nil { // so that the group does not wait for it
			return err
		}
	}
	exit, err := d.Crash(ctx, failpoint, 1+w.random.IntN(3), within)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		w.miss("failpoint %s was not reached within %s", failpoint, within)
		return nil
	case err != nil:
		return err
	case exit.Signal != syscall.SIGKILL:
		w.miss("failpoint %s: %s\n%s", failpoint, exit, d.LogTail(3))
	default:
		w.saw(failpoint, "%s", exit)
	}
	return nil
}

// anyDaemon is one of them.
func (w *storeWorld) anyDaemon() *Daemon { return w.daemons[w.random.IntN(len(w.daemons))] }

// standby is a daemon that does not capture: when it is held, only its sink is.
func (w *storeWorld) standby() *Daemon {
	for range 10 {
		if d := w.anyDaemon(); d.Running() && !d.Streams() {
			return d
		}
	}
	return w.anyDaemon()
}

func (w *storeWorld) otherThan(d *Daemon) *Daemon {
	for {
		if other := w.anyDaemon(); other != d {
			return other
		}
	}
}

// awaitAbreast returns when the sink has what the input topic has now.
func (w *storeWorld) awaitAbreast(ctx context.Context) error {
	began := time.Now()
	for _, l := range w.lanes {
		ends, err := l.group.ends(ctx)
		if err != nil {
			return err
		}
		if err := l.group.awaitOffsets(ctx, ends); err != nil {
			return fmt.Errorf("%s, after a fault: %w", l.pipeline.Name, err)
		}
	}
	w.caughtUpIn(time.Since(began))
	return nil
}
