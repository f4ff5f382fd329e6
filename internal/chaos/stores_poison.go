package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/stores"
	"penstock/schema/deadletter"
	"penstock/schema/record"
)

// sortPoison is a record that the sink cannot process.
const sortPoison = "poison"

// spot is a record's place in the input topic.
type spot struct {
	partition int32
	offset    int64
}

// poisonous are records that no sink can process, each of a sort of its own. None
// has a key that the load uses.
func (w *storeWorld) poisonous() []*kgo.Record {
	key := fmt.Appendf(nil, "%08x-0000-4000-8000-%012x", w.random.Uint32(), w.random.Uint64()>>16)
	envelope := func(table string) []byte {
		return fmt.Appendf(nil, `{"before":null,"after":{"id":"%s"},"source":{"schema":"public","table":"%s","ts_us":1},"op":"c"}`, key, table)
	}
	coordinates := []kgo.RecordHeader{
		{Key: record.HeaderLSN, Value: []byte("0/1")}, {Key: record.HeaderSeq, Value: []byte("0")},
		{Key: record.HeaderXID, Value: []byte("1")}, {Key: record.HeaderVersion, Value: []byte("1")},
	}
	return []*kgo.Record{
		{Key: key, Value: []byte(`{"before":`), Headers: coordinates}, // no JSON
		{Key: key, Value: envelope("content")},                        // no coordinates
		{Value: envelope("content"), Headers: coordinates},            // no key
		{Key: key, Value: envelope("nowhere"), Headers: coordinates},  // a table of somebody else's
	}
}

// poison writes one record of each sort into the input topic, kills a daemon perhaps,
// and awaits a letter for each.
func (w *storeWorld) poison(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()), kgo.DefaultProduceTopic(w.lanes[0].topic))
	if err != nil {
		return err
	}
	defer client.Close()
	awaited := map[spot]bool{}
	for _, r := range w.poisonous() {
		w.count()
		r.Headers = append(slices.Clip(r.Headers), kgo.RecordHeader{Key: stores.Alien})
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("write a record that nobody can process: %w", err)
		}
		awaited[spot{r.Partition, r.Offset}] = true
		w.poisoned[spot{r.Partition, r.Offset}] = true
	}
	if w.random.IntN(3) > 0 {
		if err := pause(ctx, w.between(0, 700*time.Millisecond)); err != nil {
			return err
		}
		if err := w.kill(ctx, w.anyDaemon()); err != nil {
			return err
		}
	}
	return found(Stuck, eventually(ctx, upTimeout, "letters of the records that nobody can process", func(ctx context.Context) (string, error) {
		there, err := w.letters(ctx)
		for at := range awaited {
			if len(there[at]) > 0 {
				w.saw(sortPoison, "partition %d, offset %d: %s", at.partition, at.offset, there[at])
				delete(awaited, at)
			}
		}
		if len(awaited) > 0 {
			return fmt.Sprintf("%d are missing", len(awaited)), err
		}
		return "", err
	}))
}

// letters are the ids of the dead letters that there are for each place.
func (w *storeWorld) letters(ctx context.Context) (map[spot][]string, error) {
	there, seen := map[spot][]string{}, map[string]bool{}
	err := w.scan(ctx, []string{w.topic("dead-letters")}, func(r *kgo.Record) error {
		message := deadletter.Message{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, deadletter.Header(h))
		}
		l, _, err := deadletter.Parse(message)
		if err != nil || l == nil || seen[l.ID()] { // the topic is compacted: a letter may be written twice
			return err
		}
		seen[l.ID()] = true
		at := spot{l.Partition, l.Offset}
		there[at] = append(there[at], l.ID())
		return nil
	})
	return there, err
}

// checkLetters wants one letter for each record that nobody can process, and no other.
func (w *storeWorld) checkLetters(ctx context.Context) error {
	if w.tuning.onError == "stop" {
		return nil
	}
	there, err := w.letters(ctx)
	if err != nil {
		return err
	}
	for at, ids := range there {
		if len(ids) > 1 || !w.poisoned[at] {
			w.wrong(ledger.Duplicate, "partition %d, offset %d has the letters %s", at.partition, at.offset, ids)
		}
	}
	for at := range w.poisoned {
		if len(there[at]) == 0 {
			w.wrong(ledger.Lost, "partition %d, offset %d has no letter", at.partition, at.offset)
		}
	}
	w.figure("letters", len(there))
	return nil
}
