package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/internal/fault"
)

// kafka names the servers in logs and faults.
func (s *Sink) kafka() string { return "kafka at " + strings.Join(s.cfg.Brokers, ",") }

// countPartitions asks Kafka how many partitions the input topic has. The answer is not
// what the client or kadm remembers, which is some seconds old.
func (s *Sink) countPartitions(ctx context.Context, client *kgo.Client) (int, error) {
	request, topic := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	topic.Topic = &s.cfg.Topic
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return 0, s.kafkaFault("list topics", err)
	}
	for i := range response.Topics { // the one
		switch err := kerr.ErrorForCode(response.Topics[i].ErrorCode); {
		case err == nil:
			return len(response.Topics[i].Partitions), nil
		case !errors.Is(err, kerr.UnknownTopicOrPartition):
			return 0, s.kafkaFault("describe topic "+s.cfg.Topic, err)
		}
	}
	return 0, &fault.Error{
		Kind: fault.Unreachable, Where: s.kafka(),
		What: fmt.Sprintf("topic %s does not exist", s.cfg.Topic),
		Fix:  "start the capture, which creates it",
	}
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
