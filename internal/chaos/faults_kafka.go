package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

func kafkaScenarios() []Scenario {
	return []Scenario{
		{
			ID: "K1f", What: "the broker is killed",
			Short: Size{1, 5_000}, Full: Size{10, 150_000}, run: killBroker,
		}, {
			ID: "K1f-commit", What: "the broker is killed when it has been told to commit",
			Short: Size{2, 3_000}, Full: Size{10, 60_000}, run: killBrokerAtCommit,
		}, {
			ID: "K2f", What: "the broker hangs for longer than a transaction may take",
			Short: Size{1, 3_000}, Full: Size{4, 80_000}, run: hangBroker, aborts: true,
		}, {
			ID: "K3f", What: "the answer to EndTxn is lost, or the request itself",
			Short: Size{4, 5_000}, Full: Size{40, 120_000}, run: loseEndTxn, aborts: true,
		}, {
			ID: "K5f", What: "a stranger leaves a transaction open on a data topic and on the position topic",
			Short: Size{2, 3_000}, Full: Size{4, 50_000}, run: openForeignTransaction,
			tune: func(t *tuning) { t.wait = "5s" },
		}, {
			ID: "K8f", What: "Kafka forgets the transactional id and the producer id",
			Short: Size{1, 3_000}, Full: Size{2, 60_000}, run: expireProducer,
		},
	}
}

func killBroker(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 4*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		pid := w.rig.kafka.PID()
		w.rig.kafka.Kill()
		if err := w.rig.kafka.Restart(ctx); err != nil {
			return err
		}
		healed := time.Now()
		if now := w.rig.kafka.PID(); now != pid {
			w.witness("broker %d was killed, %d serves", pid, now)
		} else {
			w.miss("broker %d serves on", pid)
		}
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
	}
	return nil
}

// hangBroker stops the broker's process; when it goes on, the transaction that was
// open may be over its time. Whether one was is chance: at full size the broker hangs
// until one was, a few times more at most.
func hangBroker(ctx context.Context, w *world) error {
	const more = 8
	if err := w.begin(ctx); err != nil {
		return err
	}
	before, err := w.agedOut()
	if err != nil {
		return err
	}
	aged := before
	for i := 0; i < w.size.Faults || w.full && aged == before && i < w.size.Faults+more; i++ {
		if err := w.hangOnce(ctx); err != nil {
			return err
		}
		if aged, err = w.agedOut(); err != nil {
			return err
		}
	}
	w.figure("aged_out", aged-before)
	if w.full && aged == before {
		w.object("Kafka aborted no transaction for its age")
	}
	return nil
}

func (w *world) hangOnce(ctx context.Context) error {
	if err := pause(ctx, w.between(time.Second, 3*time.Second)); err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	if err := w.rig.kafka.Pause(); err != nil {
		return err
	}
	err := pause(ctx, w.between(13*time.Second, 20*time.Second))
	held := stopped(w.rig.kafka.PID())
	if resumeErr := w.rig.kafka.Resume(); resumeErr != nil {
		return resumeErr
	}
	if err != nil {
		return err
	}
	if held {
		w.witness("broker %d was stopped", w.rig.kafka.PID())
	} else {
		w.miss("broker %d was not seen stopped", w.rig.kafka.PID())
	}
	return w.awaitRecovery(ctx, time.Now())
}

// agedOut is how many transactions of the capture the broker's log says were
// aborted because they were open for too long.
func (w *world) agedOut() (int, error) {
	text, err := os.ReadFile(w.rig.kafka.LogFile())
	if err != nil {
		return 0, fmt.Errorf("read the broker's log: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if mentions(line, "Completed rollback of ongoing transaction", "penstock."+w.name+" ", "due to timeout") {
			n++
		}
	}
	return n, nil
}

// expireProducer leaves the capture down until the coordinator has forgotten its
// transactional id, and the partitions their producer.
func expireProducer(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	id := "penstock." + w.name
	for range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 2*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		w.daemon.Hold()
		if _, err := w.daemon.Kill(ctx); err != nil {
			return err
		}
		err := eventually(ctx, time.Minute, "Kafka to forget "+id, func(ctx context.Context) (string, error) {
			state, err := w.transaction(ctx, id)
			if state != "Gone" {
				return "it is " + state, err
			}
			return "", err
		})
		if err != nil {
			w.miss("%s", err)
		} else {
			w.witness("the coordinator no longer knows %s", id)
		}
		w.daemon.Release()
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}
