package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// metadataAge bounds how old a client's knowledge of a topic may be.
const metadataAge = 100 * time.Millisecond

// kafka is the cluster.
type kafka struct {
	cfg   *Config
	plain *kgo.Client
	admin *kadm.Client
}

func openKafka(cfg *Config) (*kafka, error) {
	k := &kafka{cfg: cfg}
	var err error
	if k.plain, err = k.client(); err != nil {
		return nil, err
	}
	k.admin = kadm.NewClient(k.plain)
	return k, nil
}

func (k *kafka) close() { k.plain.Close() }

func (k *kafka) where() string { return "kafka at " + strings.Join(k.cfg.Brokers, ",") }

func (k *kafka) client(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(k.cfg.Brokers...), kgo.MetadataMinAge(metadataAge)}, k.cfg.Client, opts)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: k.where(), What: "client options are not usable", Err: err}
	}
	return client, nil
}

// offsets are those of each partition of a topic.
func (k *kafka) offsets(ctx context.Context, topic string, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := list(ctx, topic)
	if err != nil {
		return nil, k.fault("list offsets of topic "+topic, err)
	}
	offsets := make(map[int32]int64)
	for p, at := range listed[topic] {
		if errors.Is(at.Err, kerr.UnknownTopicOrPartition) {
			return nil, &fault.Error{
				Kind: fault.Unreachable, Where: k.where(), What: fmt.Sprintf("topic %s does not exist", topic), Fix: "start the capture, which creates it: penstock run",
			}
		}
		if at.Err != nil {
			return nil, k.fault("list offsets of topic "+topic, at.Err)
		}
		offsets[p] = at.Offset
	}
	return offsets, nil
}

// committed are the offsets that the pipeline's group has committed; a partition
// without one is not in the map.
func (k *kafka) committed(ctx context.Context) (map[int32]int64, error) {
	answer, err := k.admin.FetchOffsets(ctx, k.cfg.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, k.fault("fetch the offsets of group "+k.cfg.Group, err)
	}
	offsets := make(map[int32]int64)
	for p, at := range answer[k.cfg.Topic] {
		if at.Err != nil {
			return nil, k.fault("fetch the offsets of group "+k.cfg.Group, at.Err)
		}
		if at.At >= 0 {
			offsets[p] = at.At
		}
	}
	return offsets, nil
}

// members is how many consumers the pipeline's group has; -1 when Kafka does not tell.
func (k *kafka) members(ctx context.Context) int {
	described, err := k.admin.DescribeGroups(ctx, k.cfg.Group)
	if group, found := described[k.cfg.Group]; err == nil && found && group.Err == nil {
		return len(group.Members)
	}
	return -1
}

func (k *kafka) fault(doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: k.where(), What: doing, Err: err, Fix: "check that the brokers in kafka.brokers run and can be reached"}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return f
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		f.Kind, f.Fix = fault.Usage, "set the user and password that Kafka knows"
	case errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		f.Kind = fault.Usage
		f.Fix = fmt.Sprintf("allow the user READ and DESCRIBE on topics %s and %s, and DESCRIBE on group %s", k.cfg.Topic, k.cfg.PositionTopic, k.cfg.Group)
	case !code.Retriable:
		f.Kind, f.Fix = fault.Runtime, "see the broker's log"
	}
	return f
}
