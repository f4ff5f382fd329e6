package chaos

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func limitScenarios() []Scenario {
	return []Scenario{{
		ID: "K9f", What: "a topic takes smaller records for a while: some of a transaction's are not taken",
		Short: Size{1, 3_000}, Full: Size{4, 40_000}, run: lowerLimit,
	}}
}

// lowerLimit has Kafka refuse records while the coordinator would commit the rest.
// The daemon may end, as nothing it can do helps, but it may not go on without them.
func lowerLimit(ctx context.Context, w *world) error {
	const lowered, usual = 1_500, 1 << 20 // bytes of a batch
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		if err := pause(ctx, w.between(time.Second, 2*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		n, before := len(w.daemon.Exits()), len(w.daemon.Log())
		if err := w.limit(ctx, lowered); err != nil {
			return err
		}
		err := eventually(ctx, 15*time.Second, "a record to be refused", func(context.Context) (string, error) {
			if !mentions(w.daemon.Log()[before:], "MESSAGE_TOO_LARGE") {
				return "the daemon goes on", nil
			}
			return "", nil
		})
		if err != nil {
			w.miss("%s", err)
		} else {
			w.witness("Kafka answered MESSAGE_TOO_LARGE")
		}
		if err := errors.Join(ctx.Err(), w.limit(ctx, usual)); err != nil {
			return err
		}
		if err := w.awaitRecovery(ctx, time.Now()); err != nil {
			return err
		}
		for i, exit := range w.daemon.Exits() {
			if i >= n && exit.Signal == 0 && exit.Code != 0 {
				w.daemon.pardon(i)
			}
		}
	}
	return nil
}

// limit sets how many bytes a batch of the busiest topic may have.
func (w *world) limit(ctx context.Context, bytes int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.rig.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	value := strconv.Itoa(bytes)
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}
	changed, err := kadm.NewClient(client).AlterTopicConfigs(ctx, change, w.topic("evt"))
	for _, r := range changed {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		return fmt.Errorf("set max.message.bytes of %s: %w", w.topic("evt"), err)
	}
	return nil
}
