package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/proxy"
)

func kafkaScenarios() []Scenario {
	return []Scenario{
		{
			ID: "K1f", What: "the broker is killed",
			Short: Size{1, 5_000}, Full: Size{10, 150_000}, run: killBroker,
		}, {
			ID: "K2f", What: "the broker hangs for longer than a transaction may take",
			Short: Size{1, 3_000}, Full: Size{4, 80_000}, run: hangBroker,
		}, {
			ID: "K3f", What: "the answer to EndTxn is lost, or the request itself",
			Short: Size{4, 5_000}, Full: Size{40, 120_000}, run: loseEndTxn,
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

// hangBroker stops the broker's process; when it goes on, the transaction that
// was open may be over its time.
func hangBroker(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
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
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// loseEndTxn makes the end of a transaction a thing in doubt: without the answer
// it is committed, without the request it is not, and the daemon sees the same.
func loseEndTxn(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	lost := map[proxy.Act]int{}
	for i := range w.size.Faults {
		if err := pause(ctx, w.between(0, time.Second)); err != nil {
			return err
		}
		act := []proxy.Act{proxy.DropReply, proxy.DropRequest}[i%2]
		if err := w.inject(ctx); err != nil {
			return err
		}
		done, err := w.disturb(ctx, proxy.Rule{Key: proxy.EndTxn, Act: act, Nth: 1 + w.random.IntN(3), Times: 1})
		if err != nil {
			return err
		}
		if !done {
			w.miss("%s of EndTxn: none came", act)
			continue
		}
		if err := w.mark(ctx); err != nil {
			return err
		}
		lost[act]++
		w.witness("%s of EndTxn, by the proxy", act)
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	w.figure("indoubt_committed", lost[proxy.DropReply])
	w.figure("indoubt_lost", lost[proxy.DropRequest])
	return nil
}

// disturb arms a rule until it has acted once, and reports whether it did.
func (w *world) disturb(ctx context.Context, rule proxy.Rule) (bool, error) {
	armed := w.rig.broker.Arm(rule)
	defer armed.Disarm()
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := armed.Await(waiting, 1); err != nil {
		return false, ctx.Err()
	}
	return true, nil
}

// openForeignTransaction leaves records of another producer without an end. In a
// data topic they hold up its readers but not the capture. In the position topic a
// starting capture must not read past them: it waits, and then says whose they are.
func openForeignTransaction(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for i := range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 2*time.Second)); err != nil {
			return err
		}
		topic := w.topic("evt")
		if i%2 == 1 {
			topic = w.topic("position")
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		stranger, err := w.hang(ctx, topic)
		if err != nil {
			return err
		}
		if i%2 == 1 {
			err = w.refusesStranger(ctx, stranger)
		} else {
			err = w.passesStranger(ctx)
		}
		if err == nil {
			err = stranger.client.EndTransaction(ctx, kgo.TryAbort)
		}
		stranger.client.Close()
		if err != nil {
			return err
		}
		w.daemon.Release()
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// stranger is a producer with an open transaction.
type stranger struct {
	client   *kgo.Client
	id       string // transactional
	producer int64
}

func (w *world) hang(ctx context.Context, topic string) (*stranger, error) {
	id := fmt.Sprintf("stranger-%s-%d", w.name, w.random.Uint32())
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()), kgo.TransactionalID(id),
		kgo.TransactionTimeout(10*time.Minute), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return nil, err
	}
	if err := client.BeginTransaction(); err != nil {
		return nil, err
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Partition: 0, Key: []byte("stranger"), Value: []byte("{}")}).FirstErr(); err != nil {
		client.Close()
		return nil, fmt.Errorf("leave a transaction open on %s: %w", topic, err)
	}
	producer, _, err := client.ProducerID(ctx)
	return &stranger{client, id, producer}, err
}

// open reports whether the coordinator has the transaction as ongoing.
func (w *world) ongoing(ctx context.Context, id string) (bool, error) {
	state, err := w.transaction(ctx, id)
	return state == "Ongoing", err
}

// transaction is the coordinator's state of a transactional id, Gone when it has none.
func (w *world) transaction(ctx context.Context, id string) (string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()))
	if err != nil {
		return "", err
	}
	defer client.Close()
	described, err := kadm.NewClient(client).DescribeTransactions(ctx, id)
	if err != nil {
		return "", fmt.Errorf("describe transaction %s: %w", id, err)
	}
	found, ok := described[id]
	if !ok || found.Err != nil {
		return "Gone", nil
	}
	return found.State, nil
}

// passesStranger sees the position go on while the stranger's transaction is open.
func (w *world) passesStranger(ctx context.Context) error {
	if err := w.awaitRecovery(ctx, time.Now()); err != nil {
		return fmt.Errorf("beside a stranger's transaction on a data topic: %w", err)
	}
	w.witness("delivery goes on beside an open transaction")
	return nil
}

// refusesStranger starts the daemon in front of an open transaction on the position topic.
func (w *world) refusesStranger(ctx context.Context, s *stranger) error {
	w.daemon.Hold()
	if _, err := w.daemon.Kill(ctx); err != nil {
		return err
	}
	_, records := w.tail.last()
	n, before := len(w.daemon.Exits()), len(w.daemon.Log())
	w.daemon.Release()
	if err := w.daemon.awaitLife(ctx, n); err != nil {
		return err
	}
	w.daemon.Hold()
	const within = 45 * time.Second
	exit, err := w.daemon.ExitAfter(ctx, n, within)
	open, stateErr := w.ongoing(ctx, s.id)
	switch {
	case stateErr != nil:
		return stateErr
	case err != nil:
		// It waits on: that is as safe as a refusal, if it has written nothing.
	case exit.Code == 0:
		w.wrong("in front of a stranger's transaction on the position topic: %s", exit)
	case !mentions(w.daemon.Log()[before:], fmt.Sprint(s.producer), s.id):
		w.wrong("the refusal names neither producer %d nor transactional id %s:\n%s", s.producer, s.id, w.daemon.LogTail(3))
	default:
		w.daemon.pardon(n)
	}
	if _, now := w.tail.last(); now > records {
		w.wrong("%d positions were committed over a stranger's open transaction", now-records)
	}
	if open {
		w.witness("a stranger's transaction was open on the position topic")
	} else {
		w.miss("the stranger's transaction was over too early")
	}
	return nil
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
