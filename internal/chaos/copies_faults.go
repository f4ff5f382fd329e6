package chaos

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"
)

// CopyScenarios lists those of backfills.
func CopyScenarios() []Scenario {
	return []Scenario{
		{
			ID: "B1", What: "the daemon is killed while it backfills a table that is written to, at random and at failpoints",
			Short: Size{4, 30_000}, Full: Size{30, 3_000_000}, copies: crashCopies,
			tuneCopies: func(t *copyTuning) { t.keyless, t.stores = true, true },
		},
		{
			ID: "B2", What: "SELECT is revoked after a backfill, and the daemon is started again: nothing is read, nothing fails",
			Short: Size{2, 3_000}, Full: Size{2, 100_000}, copies: revokeSelect,
			tuneCopies: func(t *copyTuning) { t.user, t.rate = true, 0 },
		},
		{
			ID: "R1", What: "start, pause, resume and cancel are repeated, at once, while the daemon and the commands are killed",
			Short: Size{4, 20_000}, Full: Size{30, 100_000}, copies: commandCopies,
			tuneCopies: func(t *copyTuning) { t.tables, t.rate, t.repeats = []string{"rows", "others"}, 2_000, true },
		},
	}
}

// copyFailpoints are where a daemon crashes in a backfill.
func copyFailpoints() []string {
	return []string{"copied", "produced", "flushed", "end-txn-sent", "end-txn-acked"}
}

// crashCopies kills the daemon until enough is seen of it; each of the kills finds the backfill unfinished.
func crashCopies(ctx context.Context, w *copyWorld) error {
	w.startWriting(ctx)
	for done := false; !done; {
		if _, seen := w.made(); seen >= w.size.Faults {
			break
		}
		if err := w.crashOnce(ctx); err != nil {
			return err
		}
		jobs, err := w.awaitJobs(ctx, "the backfills to be told", func(jobs map[string]job) string {
			if len(jobs) == 0 {
				return "there are none"
			}
			return ""
		})
		if err != nil {
			return err
		}
		if done = jobs["public.rows"].State != "running"; done {
			w.object("the backfill was over after too few kills")
		}
	}
	jobs, err := w.awaitJobs(ctx, "the backfills to be done", w.allDone)
	if err != nil {
		return err
	}
	if why := jobs["public.keyless"].Why; !strings.Contains(why, "the table has no key") {
		w.wrong(Unrefused, "the table without a key failed for another reason: %s", why)
	}
	rows := jobs["public.rows"]
	w.figure("chunks", rows.Chunks)
	w.figure("overtaken", rows.Overtaken)
	if w.full && rows.Overtaken == 0 {
		w.object("no row was overtaken by the stream")
	}
	return nil
}

// crashOnce kills the daemon at a random moment of a backfill, or lets it kill itself at a failpoint.
func (w *copyWorld) crashOnce(ctx context.Context) error {
	least, most := 500*time.Millisecond, 1200*time.Millisecond
	if w.full {
		least, most = time.Second, 5*time.Second
	}
	if err := w.awaitStreaming(ctx); err != nil {
		return err
	}
	if err := pause(ctx, w.between(least, most)); err != nil {
		return err
	}
	w.count()
	var exit Exit
	var err error
	failpoints := copyFailpoints()
	if at := w.random.IntN(2 * len(failpoints)); at < len(failpoints) {
		exit, err = w.daemon.Crash(ctx, failpoints[at], 1+w.random.IntN(8), 20*time.Second)
		w.daemon.Release()
		if errors.Is(err, context.DeadlineExceeded) {
			w.miss("the daemon did not come to %s", failpoints[at])
			return nil
		}
	} else {
		exit, err = w.daemon.Kill(ctx)
	}
	if err != nil {
		return err
	}
	if exit.Signal == syscall.SIGKILL {
		w.witness("%s %s", exit, exit.Armed)
	} else {
		w.miss("%s, want death by SIGKILL", exit)
	}
	return nil
}

// revokeSelect takes the right to read away after the backfill, and starts the daemon again.
func revokeSelect(ctx context.Context, w *copyWorld) error {
	before, err := w.awaitJobs(ctx, "the backfill to be done", w.allDone)
	if err != nil {
		return err
	}
	if err := w.source.exec(ctx, "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM "+w.name); err != nil {
		return err
	}
	for range w.size.Faults {
		w.count()
		exit, err := w.daemon.Terminate(ctx)
		if err != nil {
			return err
		}
		if exit.Code != 0 {
			w.wrong(Stop, "graceful stop: %s\n%s", exit, w.daemon.LogTail(5))
		}
		if err := w.awaitStreaming(ctx); err != nil {
			return err
		}
		if err := w.source.exec(ctx, "UPDATE rows SET n = n + 1 WHERE id <= 100"); err != nil {
			return err
		}
		if err := w.awaitCaptured(ctx); err != nil {
			return err
		}
		var may bool
		if err := w.source.ask(ctx, "SELECT has_table_privilege($1, 'public.rows', 'SELECT')", []any{w.name}, &may); err != nil {
			return err
		}
		if may {
			w.miss("the role may read the table")
		} else {
			w.witness("%s, the role may not read the table", exit)
		}
	}
	after, err := w.jobs(ctx)
	if err != nil {
		return err
	}
	if was, is := before["public.rows"], after["public.rows"]; was != is {
		w.wrong(Illegal, "the finished backfill became another: it was %+v, it is %+v", was, is)
	}
	return nil
}
