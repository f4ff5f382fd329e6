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
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.cfg.Brokers...)}, s.cfg.Client...)...)
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

// fatal returns the fault of a poll that reading on cannot mend.
func (s *Sink) fatal(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if err := s.fetchFault(e); fault.KindOf(err) != fault.Unreachable {
			return err
		}
	}
	return nil
}

// transient returns the first fault of a poll that may pass, other than the
// poll's own time running out.
func (s *Sink) transient(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) {
			continue
		}
		return s.fetchFault(e)
	}
	return nil
}

func (s *Sink) fetchFault(e kgo.FetchError) error {
	var lost *kgo.ErrDataLoss
	where := fmt.Sprintf("pipeline %s: topic %s partition %d", s.cfg.Pipeline, e.Topic, e.Partition)
	switch {
	case errors.As(e.Err, &lost), errors.Is(e.Err, kerr.OffsetOutOfRange):
		return &fault.Error{
			Kind: fault.PositionLost, Where: where, Err: e.Err,
			What: fmt.Sprintf("the topic no longer holds the offset that group %s committed", s.cfg.Group),
			Why:  "changes between it and the topic's first offset are missing from the stores",
			Fix:  "backfill the tables, then reset the group's offsets to the earliest",
		}
	case errors.Is(e.Err, kerr.UnknownTopicOrPartition), errors.Is(e.Err, kerr.UnknownTopicID), errors.Is(e.Err, kerr.InconsistentTopicID):
		return &fault.Error{
			Kind: fault.PositionLost, Where: where, Err: e.Err,
			What: "the input topic was deleted",
			Fix:  "backfill the tables into the new topic and use a new group",
		}
	default:
		return s.kafkaFault("poll", e.Err)
	}
}

// kafkaFault classes an error of Kafka: refused credentials and rights are for
// the operator, the rest of what Kafka answers is final unless Kafka itself says
// that it passes, and no answer may pass.
func (s *Sink) kafkaFault(doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: s.kafka(), What: doing, Err: err}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return f
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		f.Kind, f.Fix = fault.Usage, "set the user and password that Kafka knows"
	case errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		f.Kind = fault.Usage
		f.Fix = fmt.Sprintf("allow the user READ on topic %s and on group %s", s.cfg.Topic, s.cfg.Group)
	case !code.Retriable && !movedAway(err):
		f.Kind = fault.Runtime
	}
	return f
}

// movedAway reports whether the error says that this member no longer owns what
// it works on. kgo joins again by itself.
func movedAway(err error) bool {
	for _, moved := range []error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch} {
		if errors.Is(err, moved) {
			return true
		}
	}
	return false
}
