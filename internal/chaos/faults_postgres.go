package chaos

import (
	"context"
	"fmt"
	"time"

	"penstock/cdc"
	"penstock/internal/chaos/workload"
)

func postgresScenarios() []Scenario {
	return []Scenario{
		{
			ID: "P1", What: "every process of Postgres is killed",
			Short: Size{1, 5_000}, Full: Size{12, 150_000}, run: killPostgres,
		}, {
			ID: "P2", What: "the walsender is terminated",
			Short: Size{3, 3_000}, Full: Size{40, 150_000}, run: killWalsender,
		}, {
			ID: "P3", What: "Postgres is shut down fast under load, within 10 s",
			Short: Size{1, 3_000}, Full: Size{8, 60_000}, run: shutPostgresDown,
		}, {
			ID: "P11", What: "commit records lie directly behind one another; the daemon dies when it has confirmed",
			Short: Size{4, 5_000}, Full: Size{30, 100_000}, run: crashAfterConfirming,
			// Few commits a Kafka transaction, and so few a second: the load must not run away.
			tune: func(t *tuning) {
				t.mix, t.age, t.records, t.rate = workload.Mix{Insert: 1, Adjacent: true}, "20ms", 20, 1_500
			},
		}, {
			ID: "P12", What: "COPY, many rows, large values, savepoints, empty transactions, messages, commits out of order of their begins; kills",
			Short: Size{3, 3_000}, Full: Size{30, 150_000}, run: killAtRandom,
			tune: func(t *tuning) {
				t.mix = workload.Mix{
					Copy: 5, MultiRow: 5, Savepoint: 10, Rollback: 5, Empty: 10, Message: 10, Long: 10, Insert: 5, Truncate: 2, KeySwap: 3, Toast: 4,
				}
				t.maxValue = 900_000
			},
		},
	}
}

// killPostgres ends the server as a crash of the machine would, but for what the
// kernel has in memory. The slot may come back at an earlier position.
func killPostgres(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	regressions := 0
	for range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 4*time.Second)); err != nil {
			return err
		}
		before, err := w.source.confirmed(ctx)
		if err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		pid := w.rig.postgres.PID()
		w.rig.postgres.Kill()
		if err := w.rig.postgres.Restart(ctx); err != nil {
			return err
		}
		healed := time.Now()
		if now := w.rig.postgres.PID(); now != pid {
			w.witness("postmaster %d was killed, %d serves", pid, now)
		} else {
			w.miss("postmaster %d serves on", pid)
		}
		after, err := w.source.confirmed(ctx)
		if err != nil {
			return err
		}
		if after < before {
			regressions++
		}
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
	}
	w.figure("regressions", regressions)
	if w.full && regressions == 0 {
		w.object("the slot never came back at an earlier position")
	}
	return nil
}

// killWalsender ends the server's side of the stream.
func killWalsender(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		if err := pause(ctx, w.between(200*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		if err := w.awaitStreaming(ctx); err != nil {
			return err
		}
		pid, err := w.source.walsender(ctx)
		if err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		var ended bool
		if err := w.source.ask(ctx, "SELECT pg_terminate_backend($1, 5000)", []any{pid}, &ended); err != nil {
			return err
		}
		healed := time.Now()
		if err := w.awaitWalsender(ctx, pid); err != nil {
			return err
		}
		if ended {
			w.witness("walsender %d was terminated, another streams", pid)
		} else {
			w.miss("walsender %d did not end", pid)
		}
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
	}
	return nil
}

// shutPostgresDown stops the server in order. It waits for its walsenders to have
// sent everything and heard of it, so the daemon must answer until the end.
func shutPostgresDown(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	var longest time.Duration
	for range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 3*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		pid, began := w.rig.postgres.PID(), time.Now()
		if err := w.rig.postgres.Stop(); err != nil {
			w.wrong(Stop, "fast shutdown of Postgres: %s", err)
		}
		took := time.Since(began)
		longest = max(longest, took)
		if took > stopTimeout {
			w.wrong(Stop, "fast shutdown of Postgres took %s", took.Round(time.Millisecond))
		}
		if err := w.rig.postgres.Restart(ctx); err != nil {
			return err
		}
		healed := time.Now()
		if now := w.rig.postgres.PID(); now != pid {
			w.witness("postmaster %d was shut down, %d serves", pid, now)
		} else {
			w.miss("postmaster %d serves on", pid)
		}
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
	}
	w.figure("shutdown_max", seconds(longest))
	return nil
}

// crashAfterConfirming looks for the transaction that a confirmation one byte too
// far would skip: its commit record begins where the confirmed one ends.
func crashAfterConfirming(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for i := range w.size.Faults {
		if err := w.crash(ctx, []cdc.Failpoint{cdc.FailConfirmed, cdc.FailReported}[i%2]); err != nil {
			return err
		}
	}
	w.daemon.Release()
	if err := w.awaitRecovery(ctx, time.Now()); err != nil {
		return err
	}
	pairs, err := w.adjacentCommits(ctx)
	if err != nil {
		return err
	}
	w.figure("adjacent", pairs)
	if wanted := min(50, int(w.size.Events/500)); pairs < wanted {
		w.object("%d positions lay directly before a commit record, %d wanted", pairs, wanted)
	}
	return nil
}

// awaitGone returns when nobody streams from the slot.
func (w *world) awaitGone(ctx context.Context) error {
	return eventually(ctx, recoverTimeout, "the walsender to end", func(ctx context.Context) (string, error) {
		pid, err := w.source.walsender(ctx)
		if pid != 0 {
			return fmt.Sprintf("%d streams", pid), err
		}
		return "", err
	})
}
