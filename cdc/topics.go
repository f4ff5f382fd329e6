package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// topics creates and inspects the capture's topics.
type topics struct {
	admin *kadm.Client
	cfg   *Config
}

func openTopics(cfg *Config) (*topics, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka.brokers", What: "is not usable", Err: err}
	}
	return &topics{admin: kadm.NewClient(client), cfg: cfg}, nil
}

func (t *topics) Close() { t.admin.Close() }

// data lists the topics that hold changes.
func (t *topics) data() []string {
	var names []string
	for _, table := range t.cfg.Tables {
		names = append(names, table.Topic)
	}
	for _, p := range t.cfg.Pipelines {
		names = append(names, p.Topic)
	}
	return names
}

// ensure creates what is missing and returns the number of partitions of each
// data topic. Existing topics are taken as they are, except that the position
// topic must be one that keeps the last position for ever.
func (t *topics) ensure(ctx context.Context) (map[string]int32, error) {
	compact := "compact"
	if err := t.create(ctx, 1, map[string]*string{"cleanup.policy": &compact}, t.cfg.PositionTopic); err != nil {
		return nil, err
	}
	if err := t.create(ctx, t.cfg.Partitions, nil, t.data()...); err != nil {
		return nil, err
	}
	counts, err := t.partitions(ctx)
	if err != nil {
		return nil, err
	}
	return counts, t.checkPosition(ctx, counts[t.cfg.PositionTopic])
}

// partitions returns how many each topic has. A broker may not know yet of a
// topic that it has just created: that is waited for.
func (t *topics) partitions(ctx context.Context) (map[string]int32, error) {
	const pause = 50 * time.Millisecond
	for {
		listed, err := t.admin.ListTopics(ctx, append(t.data(), t.cfg.PositionTopic)...)
		if err == nil {
			err = listed.Error()
		}
		if err == nil {
			counts := map[string]int32{}
			for name, detail := range listed {
				counts[name] = int32(len(detail.Partitions))
			}
			return counts, nil
		}
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || sleep(ctx, pause) != nil {
			return nil, kafkaFault("kafka.brokers", "list topics", err)
		}
	}
}

func (t *topics) create(ctx context.Context, partitions int32, configs map[string]*string, names ...string) error {
	created, err := t.admin.CreateTopics(ctx, partitions, t.cfg.ReplicationFactor, configs, names...)
	if err != nil {
		return kafkaFault("kafka.brokers", "create topics", err)
	}
	for name, topic := range created {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return &fault.Error{
				Kind: fault.Usage, Where: "topic " + name, What: "cannot be created: " + topic.ErrMessage, Err: topic.Err,
				Fix: "create it by hand, or correct kafka.partitions and kafka.replication_factor",
			}
		}
	}
	return nil
}

func (t *topics) checkPosition(ctx context.Context, partitions int32) error {
	name := t.cfg.PositionTopic
	bad := func(what, fix string) error {
		return &fault.Error{
			Kind: fault.Usage, Where: "kafka.position_topic " + name, What: what,
			Why: "the capture's position would not be kept", Fix: fix,
		}
	}
	if partitions != 1 {
		return bad(fmt.Sprintf("has %d partitions, want 1", partitions), "name another topic")
	}
	resources, err := t.admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return kafkaFault("topic "+name, "describe its configuration", err)
	}
	resource, err := resources.On(name, nil)
	if err != nil {
		return kafkaFault("topic "+name, "describe its configuration", err)
	}
	for _, config := range resource.Configs {
		if config.Key == "cleanup.policy" && config.MaybeValue() != "compact" {
			return bad(fmt.Sprintf("has cleanup.policy=%s, want compact", config.MaybeValue()),
				"kafka-configs.sh --alter --entity-type topics --entity-name "+name+" --add-config cleanup.policy=compact")
		}
	}
	return nil
}

// holdData reports whether any data topic has ever held a record.
func (t *topics) holdData(ctx context.Context) (bool, error) {
	ends, err := t.admin.ListEndOffsets(ctx, t.data()...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return false, kafkaFault("kafka.brokers", "list offsets", err)
	}
	held := false
	ends.Each(func(o kadm.ListedOffset) { held = held || o.Offset > 0 })
	return held, nil
}
