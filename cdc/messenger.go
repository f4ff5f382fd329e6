package cdc

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
)

// outboxPrefix begins the prefix of a logical message that is a record as it
// stands: outbox:<topic>:<key>, and its content the value. The key may be empty and
// may hold colons.
const outboxPrefix = "outbox:"

// messenger makes records of logical messages: of those for an outbox what they
// say, of all others Debezium's message records.
type messenger struct {
	cfg     *Config
	origin  debezium.Origin
	own     map[string]bool
	encoder *format.MessageEncoder // of all but the outboxes; nil until the first
	open    func(ctx context.Context, topic string) (partitions int32, err error)
	topics  map[string]topicRef // that were opened
}

func newMessenger(cfg *Config, origin debezium.Origin, open func(context.Context, string) (int32, error)) *messenger {
	m := &messenger{cfg: cfg, origin: origin, own: map[string]bool{}, open: open, topics: map[string]topicRef{}}
	for _, name := range (&topics{cfg: cfg}).all() {
		m.own[name] = name != cfg.Messages.Topic
	}
	return m
}

// route appends the record of one message.
func (m *messenger) route(ctx context.Context, dst []*kgo.Record, e *schema.Event, nowMicros int64) ([]*kgo.Record, error) {
	r := &kgo.Record{Headers: headers(e, e.Version)}
	if topic, key, isOutbox := outbox(e.Message.Prefix); isOutbox {
		if m.own[topic] {
			return dst, &fault.Error{
				Kind: fault.Refused, Where: fmt.Sprintf("message %q at %s", e.Message.Prefix, e.Source.CommitLSN),
				What: "topic " + topic + " is the capture's own", Why: "a record of somebody else's would be taken for one of the capture's",
				Fix: "emit it to another topic; what is in the log cannot be changed: skip it with the slot, and accept the gap",
			}
		}
		r.Topic, r.Value = topic, append([]byte{}, e.Message.Content...)
		if key != "" {
			r.Key = []byte(key)
		}
	} else if err := m.render(ctx, r, e, nowMicros); err != nil {
		return dst, err
	}
	ref, err := m.ref(ctx, r.Topic)
	if err != nil {
		return dst, err
	}
	r.Partition = ref.partition(r.Key)
	return append(dst, r), nil
}

// render makes the record of a message that is for no outbox.
func (m *messenger) render(ctx context.Context, r *kgo.Record, e *schema.Event, nowMicros int64) error {
	var err error
	if m.encoder == nil {
		messages := &m.cfg.Messages
		if m.encoder, err = messages.Format.CompileMessages(ctx, messages.Topic, m.origin, m.cfg.MarkCommits); err != nil {
			return err
		}
	}
	if r.Value, err = m.encoder.AppendValue(nil, e, nowMicros); err != nil {
		return fmt.Errorf("at %s: %w", e.Source.CommitLSN, err)
	}
	events, err := m.encoder.AppendHeaders(nil, e, nowMicros)
	if err != nil {
		return fmt.Errorf("at %s: %w", e.Source.CommitLSN, err)
	}
	r.Topic, r.Key, r.Headers = m.cfg.Messages.Topic, m.encoder.AppendKey(nil, e), withEvents(r.Headers, events)
	return nil
}

// outbox takes a prefix apart. One without a topic that Kafka takes is an
// ordinary prefix.
func outbox(prefix string) (topic, key string, isOutbox bool) {
	rest, found := strings.CutPrefix(prefix, outboxPrefix)
	if !found {
		return "", "", false
	}
	topic, key, _ = strings.Cut(rest, ":")
	return topic, key, topicName.MatchString(topic) && topic != "." && topic != ".."
}

// ref opens a topic when it is first written to.
func (m *messenger) ref(ctx context.Context, topic string) (topicRef, error) {
	if ref, known := m.topics[topic]; known {
		return ref, nil
	}
	partitions, err := m.open(ctx, topic)
	if err != nil {
		return topicRef{}, err
	}
	m.topics[topic] = newTopicRef(topic, partitions)
	return m.topics[topic], nil
}
