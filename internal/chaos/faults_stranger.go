package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
			err = w.passesStranger(ctx, stranger, topic)
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
		kgo.TransactionTimeout(10*time.Minute), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
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
func (w *world) passesStranger(ctx context.Context, s *stranger, topic string) error {
	if err := w.awaitRecovery(ctx, time.Now()); err != nil {
		return fmt.Errorf("beside a stranger's transaction on a data topic: %w", err)
	}
	open, err := w.holds(ctx, s.producer, topic)
	if err != nil {
		return err
	}
	if open {
		w.witness("delivery went on, and then producer %d had its transaction open on %s", s.producer, topic)
	} else {
		w.miss("producer %d has no transaction open on %s", s.producer, topic)
	}
	return nil
}

// holds reports whether the partition leader has a transaction of the producer open.
func (w *world) holds(ctx context.Context, producer int64, topic string) (bool, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()))
	if err != nil {
		return false, err
	}
	defer client.Close()
	at := kadm.TopicsSet{}
	at.Add(topic, 0)
	described, err := kadm.NewClient(client).DescribeProducers(ctx, at)
	if err != nil {
		return false, fmt.Errorf("describe producers of %s: %w", topic, err)
	}
	for _, p := range described.SortedProducers() {
		if p.ProducerID == producer && p.CurrentTxnStartOffset >= 0 {
			return true, nil
		}
	}
	return false, nil
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
		w.wrong(Unrefused, "in front of a stranger's transaction on the position topic: %s\n%s", err, w.daemon.LogTail(3))
	case exit.Code == 0:
		w.wrong(Unrefused, "in front of a stranger's transaction on the position topic: %s", exit)
	case !mentions(w.daemon.Log()[before:], fmt.Sprint(s.producer), s.id):
		w.wrong(Unrefused, "the refusal names neither producer %d nor transactional id %s:\n%s", s.producer, s.id, w.daemon.LogTail(3))
	default:
		w.daemon.pardon(n)
	}
	if _, now := w.tail.last(); now > records {
		w.wrong(Written, "%d positions were committed over a stranger's open transaction", now-records)
	}
	if open {
		w.witness("a stranger's transaction was open on the position topic")
	} else {
		w.miss("the stranger's transaction was over too early")
	}
	return nil
}
