package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// begin waits until Kafka answers and the input topic exists, and remembers how many
// partitions that has. It returns a fault if the group's progress was made with another
// number. Offsets that say none, of a group that is new or was set by an operator, take the present one.
func (s *Sink) begin(ctx context.Context) error {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.cfg.Brokers...)}, s.cfg.Client...)...)
	if err != nil {
		return &fault.Error{Kind: fault.Usage, Where: s.kafka(), What: "client options are not usable", Err: err}
	}
	defer client.Close()
	return s.patience().Do(ctx, s.kafka()+", topic "+s.cfg.Topic, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, requestLimit)
		defer cancel()
		if s.partitions, err = s.countPartitions(ctx, client); err != nil {
			return err
		}
		committed, err := kadm.NewClient(client).FetchOffsets(ctx, s.cfg.Group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return s.kafkaFault("read the offsets of group "+s.cfg.Group, err)
		}
		for _, at := range committed[s.cfg.Topic] {
			if began := partitionsOf(at.Metadata); began != 0 && began != s.partitions {
				return s.repartitioned(s.partitions, began)
			}
		}
		return nil
	})
}

// partitionsOf is how many partitions the topic had when an offset was committed, by what
// was kept with that; 0 if it does not say.
func partitionsOf(metadata string) int {
	var k kept
	if err := json.Unmarshal([]byte(metadata), &k); err != nil {
		return 0
	}
	return k.Partitions
}

// samePartitions asks Kafka whether the input topic still has as many partitions as at
// the beginning, and returns a fault if not.
func (s *Sink) samePartitions(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	count, err := s.countPartitions(ctx, client)
	if err == nil && count != s.partitions {
		err = s.repartitioned(count, s.partitions)
	}
	return err
}

func (s *Sink) repartitioned(count, began int) error {
	return &fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("pipeline %s: topic %s", s.cfg.Pipeline, s.cfg.Topic),
		What: fmt.Sprintf("the input topic has %d partitions, %d when group %s began", count, began, s.cfg.Group),
		Why:  "the rows of one key would lie in two partitions, and be worked on in no order",
		Fix: fmt.Sprintf("with the daemons stopped, empty the pipeline's tables and hashes, set topic and group of pipelines.%s to new names, "+
			"start, and penstock backfill start both tables", s.cfg.Pipeline),
	}
}

// check returns a fault if the number of partitions has changed. It asks Kafka when it
// has not for a while, and before anything is done with a record that lies elsewhere than its key
// did: so none is taken that the new number has moved.
func (c *consumer) check(ctx context.Context, fetches kgo.Fetches) error {
	if time.Since(c.counted) < idleCheck && !c.misplaced(fetches) {
		return nil
	}
	err := c.sink.patience().Do(ctx, c.sink.kafka(), func(ctx context.Context) error { return c.sink.samePartitions(ctx, c.client) })
	c.counted = time.Now()
	return err
}

// misplaced reports whether a record lies in another partition than that of its key.
func (c *consumer) misplaced(fetches kgo.Fetches) bool {
	for r := range fetches.RecordsAll() {
		if r.Key != nil && c.partitioner.Partition(r, c.sink.partitions) != int(r.Partition) {
			return true
		}
	}
	return false
}
