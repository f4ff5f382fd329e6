package chaos

import (
	"context"
	"fmt"
	"time"

	"penstock/schema"
)

func bulkScenarios() []Scenario {
	return []Scenario{
		{
			ID: "P8-heartbeat", What: "300 MB of log that are not the capture's, over an idle source",
			Short: Size{1, 0}, Full: Size{1, 0}, run: floodUnpublished,
			tune: func(t *tuning) { t.idleSource = true },
		}, {
			ID: "P8-keepalive", What: "the same, without heartbeats: all the daemon hears of are the server's keepalives",
			Short: Size{1, 0}, Full: Size{1, 0}, run: floodUnpublished,
			tune: func(t *tuning) { t.idleSource, t.heartbeat, t.idle = true, "0s", "10s" },
		}, {
			ID: "P9", What: "one huge transaction; the daemon is killed inside it",
			Short: Size{2, 100_000}, Full: Size{10, 1_000_000}, run: func(ctx context.Context, w *world) error { return killInside(ctx, w, false) },
			tune:   func(t *tuning) { t.rate, t.idleSource = 50, true },
			aborts: true,
		}, {
			ID: "P9-streaming", What: "one large transaction, streamed before it commits; the daemon is killed meanwhile",
			Short: Size{1, 30_000}, Full: Size{4, 200_000}, run: func(ctx context.Context, w *world) error { return killInside(ctx, w, true) },
			tune: func(t *tuning) { t.rate, t.idleSource, t.streaming = 50, true, true },
		},
	}
}

// floodUnpublished writes to a table of which the slot gets nothing. The slot must
// follow all the same, or the server keeps its log for ever.
func floodUnpublished(ctx context.Context, w *world) error {
	const flood, step = 300 << 20, 10 << 20
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.source.exec(ctx, "CREATE TABLE noise (text text); ALTER TABLE noise ALTER text SET STORAGE EXTERNAL"); err != nil {
		return err
	}
	before, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	for written := 0; written < flood; written += step {
		err := w.source.exec(ctx, fmt.Sprintf("INSERT INTO noise SELECT repeat('x', 10000) FROM generate_series(1, %d); TRUNCATE noise", step/10_000))
		if err != nil {
			return err
		}
	}
	after, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	w.figure("flood_mb", uint64(after-before)>>20)
	if after-before >= flood {
		w.witness("the server wrote %d bytes of log", after-before)
	} else {
		w.miss("the server wrote %d bytes of log only", after-before)
	}
	return nil // the usual end of a run sees the log go
}

// killInside writes as many rows as the size says in one transaction, and kills
// the daemon each time that it has come further.
func killInside(ctx context.Context, w *world, streaming bool) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	w.startLoad(ctx)
	written := make(chan error, 1) // one: it ends whether or not anybody asks
	writing, cancel := context.WithCancel(ctx)
	go func() { written <- w.load.Large(writing, int(w.size.Events)) }() // joined below
	err := w.killWhileLarge(ctx, streaming)
	if err != nil {
		cancel()
	}
	writeErr := <-written
	cancel()
	if err != nil {
		return err
	}
	if writeErr != nil {
		return writeErr
	}
	began := time.Now()
	end, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	err = found(Stuck, w.reach(waiting, end))
	w.figure("caught_up", seconds(time.Since(began)))
	return err
}

func (w *world) killWhileLarge(ctx context.Context, streaming bool) error {
	for range w.size.Faults {
		if err := w.inject(ctx); err != nil {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, 5*time.Minute)
		inside, err := w.awaitInside(waiting, streaming)
		cancel()
		if err != nil {
			return found(Stuck, fmt.Errorf("to be inside the large transaction: %w", err))
		}
		if !inside {
			w.miss("the large transaction was delivered before the next kill")
			return nil
		}
		exit, err := w.daemon.Kill(ctx)
		if err != nil {
			return err
		}
		w.sawKill(exit)
	}
	return nil
}

// awaitInside returns true when the daemon has delivered some more of a
// transaction, or when it receives one that is not committed yet; false when the
// transaction's end has come first.
func (w *world) awaitInside(ctx context.Context, streaming bool) (bool, error) {
	before, _ := w.tail.last()
	if streaming {
		began := time.Now() // a killed daemon leaves files behind
		return true, eventually(ctx, time.Minute, "a file in the spool", func(context.Context) (string, error) {
			if !w.spooling(began) || !w.daemon.Running() {
				return "there is none that grows", nil
			}
			return "", nil
		})
	}
	var open schema.OpenCommit
	err := w.tail.until(ctx, func() bool {
		open = w.tail.position.Open
		return open.N > before.Open.N || open.IsZero() && !before.Open.IsZero()
	})
	return !open.IsZero(), err
}
