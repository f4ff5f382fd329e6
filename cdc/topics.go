package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// topics creates and inspects the capture's topics.
type topics struct {
	admin *kadm.Client
	cfg   *Config
}

func openTopics(cfg *Config) (*topics, error) {
	client, err := cfg.kafka()
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
	if t.cfg.Messages.Topic != "" {
		names = append(names, t.cfg.Messages.Topic)
	}
	return names
}

// all lists the data topics and the capture's own.
func (t *topics) all() []string {
	names := append(t.data(), t.cfg.TransactionTopic, t.cfg.PositionTopic)
	if t.cfg.Beats.Every > 0 {
		names = append(names, t.cfg.Beats.Topic)
	}
	if t.cfg.DeadLetterTopic != "" {
		names = append(names, t.cfg.DeadLetterTopic)
	}
	return names
}

// layout is what the capture has to know of its topics.
type layout struct {
	partitions map[string]int32
	maxBytes   map[string]int32 // in one batch: max.message.bytes
	compacted  map[string]bool
	created    []string // those of the data that were not there
}

// topicInfo is what is to be known of one topic.
type topicInfo struct {
	partitions int32
	maxBytes   int32
	compacted  bool
}

// ref is a topic of the layout.
func (l *layout) ref(name string) topicRef {
	ref := newTopicRef(name, l.partitions[name])
	ref.maxBytes, ref.compacted = l.maxBytes[name], l.compacted[name]
	return ref
}

// ensure creates what is missing and describes all. Existing topics are taken as
// they are, except that the position topic must be one that keeps the last
// position for ever.
func (t *topics) ensure(ctx context.Context) (layout, error) {
	existing, err := t.admin.ListTopics(ctx, t.all()...)
	if err != nil {
		return layout{}, kafkaFault("kafka.brokers", "list topics", err)
	}
	if !existing.Has(t.cfg.PositionTopic) {
		if err := t.create(ctx, 1, positionConfigs(), t.cfg.PositionTopic); err != nil {
			return layout{}, err
		}
	}
	missing := slices.DeleteFunc(t.data(), existing.Has)
	if len(missing) > 0 {
		if err := t.create(ctx, t.cfg.Partitions, nil, missing...); err != nil {
			return layout{}, err
		}
	}
	for _, name := range t.all() { // what is neither data nor the position is in order in one partition
		if existing.Has(name) || name == t.cfg.PositionTopic || slices.Contains(t.data(), name) {
			continue
		}
		var configs map[string]*string
		if name == t.cfg.DeadLetterTopic {
			if configs, err = t.letterConfigs(ctx); err != nil {
				return layout{}, err
			}
		}
		if err := t.create(ctx, 1, configs, name); err != nil {
			return layout{}, err
		}
	}
	l, err := t.describe(ctx, t.all()...)
	if err != nil {
		return l, err
	}
	l.created = missing
	if n := l.partitions[t.cfg.PositionTopic]; n != 1 {
		return l, t.badPosition(fmt.Sprintf("has %d partitions, want 1", n), "name another topic")
	}
	return l, nil
}

// ensureOne creates one more topic unless it is there.
func (t *topics) ensureOne(ctx context.Context, name string) (topicInfo, error) {
	existing, err := t.admin.ListTopics(ctx, name)
	if err != nil {
		return topicInfo{}, kafkaFault("topic "+name, "list topics", err)
	}
	if !existing.Has(name) {
		if err := t.create(ctx, t.cfg.Partitions, nil, name); err != nil {
			return topicInfo{}, err
		}
	}
	l, err := t.describe(ctx, name)
	return topicInfo{l.partitions[name], l.maxBytes[name], l.compacted[name]}, err
}

// positionConfigs keep the last position for ever and the topic short: a start
// reads all of it. Only closed segments are compacted, so they are small.
func positionConfigs() map[string]*string {
	return pointers(map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "16777216", "segment.ms": "3600000",
		"min.cleanable.dirty.ratio": "0.1", "max.compaction.lag.ms": "3600000", "unclean.leader.election.enable": "false",
	})
}

// letterConfigs make room for a letter of whatever any data topic takes: a sink
// writes its letters there, too.
func (t *topics) letterConfigs(ctx context.Context) (map[string]*string, error) {
	var largest int32
	if data := t.data(); len(data) > 0 {
		l, err := t.describe(ctx, data...)
		if err != nil {
			return nil, err
		}
		for _, takes := range l.maxBytes {
			largest = max(largest, takes)
		}
	}
	configs := deadletter.TopicConfigs(largest)
	if largest == 0 { // there are none yet: tables that match may come
		delete(configs, "max.message.bytes")
	}
	return pointers(configs), nil
}

func pointers(settings map[string]string) map[string]*string {
	configs := map[string]*string{}
	for key, value := range settings {
		configs[key] = &value
	}
	return configs
}

func (t *topics) create(ctx context.Context, partitions int32, configs map[string]*string, names ...string) error {
	created, err := t.admin.CreateTopics(ctx, partitions, t.cfg.ReplicationFactor, configs, names...)
	if err != nil {
		return kafkaFault("kafka.brokers", "create topics", err)
	}
	for name, topic := range created {
		if topic.Err == nil || errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			continue
		}
		if kerr.IsRetriable(topic.Err) {
			return kafkaFault("topic "+name, "create the topic", topic.Err)
		}
		return &fault.Error{
			Kind: fault.Usage, Where: "topic " + name, What: "cannot be created: " + topic.ErrMessage, Err: topic.Err,
			Fix: "create it by hand, or correct kafka.partitions and kafka.replication_factor",
		}
	}
	return nil
}

func (t *topics) describe(ctx context.Context, names ...string) (layout, error) {
	l := layout{maxBytes: map[string]int32{}, compacted: map[string]bool{}}
	var err error
	if l.partitions, err = t.partitions(ctx, names...); err != nil {
		return l, err
	}
	resources, err := t.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return l, kafkaFault("kafka.brokers", "describe topics", err)
	}
	for _, resource := range resources {
		if resource.Err != nil {
			return l, kafkaFault("topic "+resource.Name, "describe its configuration", resource.Err)
		}
		for _, config := range resource.Configs {
			switch config.Key {
			case "max.message.bytes":
				limit, err := strconv.ParseInt(config.MaybeValue(), 10, 32)
				if err != nil {
					return l, fmt.Errorf("topic %s: max.message.bytes: %w", resource.Name, err)
				}
				l.maxBytes[resource.Name] = int32(limit)
			case "cleanup.policy":
				l.compacted[resource.Name] = strings.Contains(config.MaybeValue(), "compact")
				if resource.Name == t.cfg.PositionTopic && config.MaybeValue() != "compact" {
					return l, t.badPosition("has cleanup.policy="+config.MaybeValue()+", want compact",
						"kafka-configs.sh --alter --entity-type topics --entity-name "+resource.Name+" --add-config cleanup.policy=compact")
				}
			}
		}
	}
	return l, nil
}

func (t *topics) badPosition(what, fix string) error {
	return &fault.Error{
		Kind: fault.Usage, Where: "kafka.position_topic " + t.cfg.PositionTopic, What: what,
		Why: "the capture's position would not be kept", Fix: fix,
	}
}

// partitions returns how many each topic has. A broker may not know yet of a
// topic that it has just created: that is waited for.
func (t *topics) partitions(ctx context.Context, names ...string) (map[string]int32, error) {
	const pause = 50 * time.Millisecond
	for {
		listed, err := t.admin.ListTopics(ctx, names...)
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

// holdData reports whether any data topic has ever held a record.
func (t *topics) holdData(ctx context.Context) (bool, error) {
	data := t.data()
	if len(data) == 0 { // of no names Kafka would take all
		return false, nil
	}
	ends, err := t.admin.ListEndOffsets(ctx, data...)
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
