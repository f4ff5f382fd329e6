package chaos

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"penstock/cdc"
	"penstock/internal/chaos/ledger"
	"penstock/schema"
)

func daemonScenarios() []Scenario {
	return []Scenario{
		{
			ID: "A1", What: "the daemon is killed at random times",
			Short: Size{5, 5_000}, Full: Size{40, 200_000}, run: killAtRandom, aborts: true,
		}, {
			ID: "A2", What: "the daemon kills itself at each failpoint",
			Short: Size{len(cdc.Failpoints()), 5_000}, Full: Size{5 * len(cdc.Failpoints()), 200_000}, run: killAtFailpoints, aborts: true,
			tune: func(t *tuning) { t.splitRecords, t.idle, t.idleSource = 200, "300ms", true },
		}, {
			ID: "A3", What: "the daemon is stopped gracefully under load, and sends nothing again",
			Short: Size{3, 3_000}, Full: Size{20, 100_000}, run: stopUnderLoad,
		}, {
			ID: "A4", What: "the daemon is held for 8 s while another takes over, and wakes up",
			Short: Size{1, 5_000}, Full: Size{4, 60_000}, run: wakeUpAsZombie,
			tune: func(t *tuning) { t.wait = "20s" },
		}, {
			ID: "A5", What: "two daemons run all the time and are killed in turns",
			Short: Size{4, 5_000}, Full: Size{30, 150_000}, run: killOneOfTwo,
		}, {
			ID: "A8", What: "the source's clock jumps by an hour, forth and back",
			Short: Size{2, 5_000}, Full: Size{6, 50_000}, run: jumpClock,
		},
	}
}

// kill ends a daemon by SIGKILL; the supervisor starts it again at once.
func (w *world) kill(ctx context.Context, d *Daemon) error {
	if err := w.inject(ctx); err != nil {
		return err
	}
	exit, err := d.Kill(ctx)
	if err != nil {
		return err
	}
	w.sawKill(exit)
	return nil
}

// sawKill is the kernel's own word that a process died of SIGKILL.
func (w *world) sawKill(exit Exit) {
	if exit.Signal == syscall.SIGKILL {
		w.witness("%s", exit)
	} else {
		w.miss("%s, want death by SIGKILL", exit)
	}
}

// killAtRandom kills the daemon while it works, and sometimes while it recovers.
func killAtRandom(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		if err := pause(ctx, w.between(0, 2*time.Second)); err != nil {
			return err
		}
		if err := w.kill(ctx, w.daemon); err != nil {
			return err
		}
		if w.random.IntN(3) == 0 { // the next one comes before it has recovered
			continue
		}
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	return w.awaitRecovery(ctx, time.Now())
}

// stopUnderLoad stops the daemon while rows come in. What it has delivered it has
// also confirmed: the server starts exactly where the position stands.
func stopUnderLoad(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	var longest time.Duration
	for range w.size.Faults {
		if err := pause(ctx, w.between(500*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		w.daemon.Hold()
		began := time.Now()
		exit, err := w.daemon.Terminate(ctx)
		if err != nil {
			return err
		}
		took := time.Since(began)
		longest = max(longest, took)
		if exit.Code != 0 || took > stopTimeout {
			w.wrong(Stop, "SIGTERM: %s after %s\n%s", exit, took, w.daemon.LogTail(5))
		} else {
			w.witness("%s", exit)
		}
		if err := w.checkNothingAgain(ctx); err != nil {
			return err
		}
		w.daemon.Release()
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	w.figure("stop_max", seconds(longest))
	return nil
}

func (w *world) checkNothingAgain(ctx context.Context) error {
	confirmed, err := w.source.confirmed(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.tail.follow(waiting, func(now schema.Position) bool { return now.EndLSN >= confirmed }); err != nil {
		w.wrong(ledger.Early, "stopped with the slot confirmed to %s, ahead of the position: %s", confirmed, err)
		return nil
	}
	if position, _ := w.tail.last(); position.EndLSN != confirmed || !position.Open.IsZero() {
		w.wrong(Resent, "stopped with the position at %s (%+v), but the slot confirmed to %s only: what lies between is sent again",
			position.EndLSN, position.Open, confirmed)
	}
	return nil
}

// wakeUpAsZombie holds the daemon for longer than the server waits for a sign of
// life. The second one takes the slot and fences; the first one must then change
// nothing any more, and end.
func wakeUpAsZombie(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		second, err := w.addDaemon(ctx)
		if err != nil {
			return err
		}
		if err := w.zombie(ctx, w.daemon, second); err != nil {
			return err
		}
		w.daemon = second
	}
	return nil
}

func (w *world) zombie(ctx context.Context, first, second *Daemon) error {
	before, err := w.source.walsender(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, w.between(time.Second, 2*time.Second)); err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	first.Hold()
	n := len(first.Exits())
	if err := first.Pause(); err != nil {
		return err
	}
	began := time.Now()
	held := awaitStopped(ctx, first.PID())
	if err := w.awaitWalsender(ctx, before); err != nil {
		return fmt.Errorf("takeover by %s: %w", second.Name, err)
	}
	if err := w.awaitRecovery(ctx, began); err != nil {
		return err
	}
	if err := pause(ctx, max(0, 8*time.Second-time.Since(began))); err != nil {
		return err
	}
	held = held && stopped(first.PID())
	link := w.linkOf(first)
	position, _ := w.tail.last()
	if err := first.Resume(); err != nil {
		return err
	}
	const within = 40 * time.Second
	exit, err := first.ExitAfter(ctx, n, within)
	if err != nil {
		w.wrong(Zombie, "the daemon that woke up did not end: %s\n%s", err, first.LogTail(5))
		_, err := first.Kill(ctx)
		return err
	}
	first.pardon(n)
	if exit.Code == 0 || exit.Signal != 0 {
		w.wrong(Zombie, "the daemon that woke up: %s, want an exit code that is not 0\n%s", exit, first.LogTail(5))
	}
	if now := schema.LSN(link.Stats().Flushed); now > position.EndLSN { // up to there another has told the server already
		w.wrong(Zombie, "the daemon that woke up confirmed %s, the position stood at %s", now, position.EndLSN)
	}
	if held {
		w.witness("pid %d was stopped for %s, then %s", exit.PID, time.Since(began).Round(time.Second), exit)
	} else {
		w.miss("pid %d was not seen stopped", exit.PID)
	}
	return nil
}

// awaitStopped reports whether the process is seen held by SIGSTOP within a second.
func awaitStopped(ctx context.Context, pid int) bool {
	return eventually(ctx, time.Second, "the process to stop", func(context.Context) (string, error) {
		if !stopped(pid) {
			return "it runs", nil
		}
		return "", nil
	}) == nil
}

// awaitWalsender returns when another process of the server streams from the slot.
func (w *world) awaitWalsender(ctx context.Context, before int) error {
	return found(Stuck, eventually(ctx, recoverTimeout, "another walsender", func(ctx context.Context) (string, error) {
		pid, err := w.source.walsender(ctx)
		if pid == 0 || pid == before {
			return fmt.Sprintf("the slot's is %d, as before or none", pid), err
		}
		return "", err
	}))
}

// killOneOfTwo keeps two daemons, of which one waits for the slot, and kills
// either.
func killOneOfTwo(ctx context.Context, w *world) error {
	second, err := w.addDaemon(ctx)
	if err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	both := []*Daemon{w.daemon, second}
	for range w.size.Faults {
		if err := pause(ctx, w.between(300*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		if err := w.kill(ctx, both[w.random.IntN(2)]); err != nil {
			return err
		}
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	w.checkFences(both)
	return nil
}

// checkFences holds the fences that Kafka was asked for against what the daemons
// say: who streams has fenced, and who waits for the slot has not.
func (w *world) checkFences(daemons []*Daemon) {
	streams, retries := 0, 0
	for _, d := range daemons {
		text := d.Log()
		streams += strings.Count(text, `"message":"streaming"`)
		retries += strings.Count(text, `"message":"waiting, then starting again"`) // the slot may have been taken, and fenced, in vain
	}
	asked := w.fences.count()
	w.figure("streams", streams)
	w.figure("fences", asked)
	if asked < streams || asked > streams+retries {
		w.wrong(Fence, "producers were fenced %d times, the daemons have streamed %d times and tried again %d times", asked, streams, retries)
	}
}

// jumpClock shifts the commit times that the daemon is told. The ledger sees that
// versions go on rising.
func jumpClock(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for i := range w.size.Faults {
		shift := time.Hour
		if i%2 == 1 {
			shift = -time.Hour
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		link := w.linkOf(w.daemon)
		before := link.Stats().Shifted
		link.shiftClock(shift)
		if err := pause(ctx, w.between(time.Second, 3*time.Second)); err != nil {
			return err
		}
		if w.random.IntN(2) == 0 { // the version lives on in the position
			if _, err := w.daemon.Kill(ctx); err != nil {
				return err
			}
		}
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
		if n := link.Stats().Shifted - before; n > 0 {
			w.witness("%d commits were shifted by %s", n, shift)
		} else {
			w.miss("no commit was shifted by %s", shift)
		}
	}
	return nil
}
