package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// kafka names the servers in logs and faults.
func (s *Sink) kafka() string { return "kafka at " + strings.Join(s.cfg.Brokers, ",") }

// awaitTopic waits until Kafka answers and the input topic exists.
func (s *Sink) awaitTopic(ctx context.Context) error {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.cfg.Brokers...),
		kgo.MetadataMinAge(firstPause), // else an absent topic stays absent for 5 s
	}, s.cfg.Client...)...)
	if err != nil {
		return &fault.Error{Kind: fault.Usage, Where: s.kafka(), What: "client options are not usable", Err: err}
	}
	defer client.Close()
	what := s.kafka() + ", topic " + s.cfg.Topic
	return s.patience().Do(ctx, what, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestLimit)
		defer cancel()
		_, err := s.countPartitions(ctx, client)
		return err
	})
}

// countPartitions returns how many partitions the input topic has.
func (s *Sink) countPartitions(ctx context.Context, client *kgo.Client) (int, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, s.cfg.Topic)
	if err != nil {
		return 0, s.kafkaFault("list topics", err)
	}
	topic := topics[s.cfg.Topic]
	if errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
		return 0, &fault.Error{
			Kind: fault.Unreachable, Where: s.kafka(),
			What: fmt.Sprintf("topic %s does not exist", s.cfg.Topic),
			Fix:  "start the capture, which creates it",
		}
	}
	if topic.Err != nil {
		return 0, s.kafkaFault("describe topic "+s.cfg.Topic, topic.Err)
	}
	return len(topic.Partitions), nil
}

func (s *Sink) ping(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return s.kafkaFault("ping", err)
	}
	return nil
}

func (s *Sink) kafkaFault(doing string, err error) error {
	return kafkaFault(s.kafka(), fmt.Sprintf("READ on topic %s and on group %s", s.cfg.Topic, s.cfg.Group), doing, err)
}

// movedAway reports whether the error says that this member no longer owns what
// it works on. kgo joins again by itself.
func movedAway(err error) bool {
	for _, moved := range []error{
		kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID,
		kerr.FencedInstanceID, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch,
	} {
		if errors.Is(err, moved) {
			return true
		}
	}
	return false
}
