package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/schema/debezium"
	"penstock/schema/shape"
)

// outboxPrefix begins the prefix of a logical message that is a record as it
// stands: outbox:<topic>:<key>, and its content the value. The key may hold colons;
// an empty one is none. Both it and the value are the octets of the message,
// whatever they mean; an empty content is an empty value, not a tombstone.
const outboxPrefix = "outbox:"

// messenger makes records of logical messages: of those for an outbox what they
// say, of all others Debezium's message records.
type messenger struct {
	cfg     *Config
	origin  debezium.Origin
	own     map[string]bool
	encoder *format.MessageEncoder // of all but the outboxes; nil until the first
	open    openTopic
	topics  map[string]topicRef // that were opened
	letters *letters
	memory  *slab // of the records' headers
}

// openTopic makes a topic that is not there, and describes it. It is asked for those
// that only a message names.
type openTopic func(ctx context.Context, topic string) (topicInfo, error)

func newMessenger(cfg *Config, origin debezium.Origin, l *letters, open openTopic) *messenger {
	m := &messenger{cfg: cfg, origin: origin, own: map[string]bool{}, open: open, topics: map[string]topicRef{}, letters: l}
	for _, name := range (&topics{cfg: cfg}).all() {
		m.own[name] = name != cfg.Messages.Topic
	}
	return m
}

// takes reports whether a message with the prefix becomes a record.
func (m *Messages) takes(prefix string) bool { return m.Topic != "" || m.isOutbox(prefix) }

// isOutbox reports whether the prefix is meant for an outbox, rightly or not.
func (m *Messages) isOutbox(prefix string) bool {
	return len(m.Outbox) > 0 && strings.HasPrefix(prefix, outboxPrefix)
}

// route appends the record of one message, or its dead letter.
func (m *messenger) route(ctx context.Context, dst []*kgo.Record, e *schema.Event, nowMicros int64) ([]*kgo.Record, error) {
	r := &kgo.Record{Headers: m.memory.headersOf(e, e.Version)}
	compose := m.render
	if m.cfg.Messages.isOutbox(e.Message.Prefix) {
		compose = m.outbox
	}
	err := compose(ctx, r, e, nowMicros)
	if err != nil && !m.cfg.Messages.isOutbox(e.Message.Prefix) {
		return dst, err // what cannot be rendered is no fault of the message's
	}
	if err == nil {
		err = m.place(ctx, r, e)
	}
	if err == nil {
		return append(dst, r), nil
	}
	bad, ok := errors.AsType[*fault.Error](err)
	if !ok || bad.Kind == fault.Unreachable || !m.cfg.Messages.DeadLetters {
		return dst, err
	}
	about := fmt.Appendf(nil, `{"bytes":%d}`, len(e.Message.Content))
	letter, err := m.letters.write(letter{
		event: e, topic: r.Topic, key: r.Key, value: append([]byte{}, e.Message.Content...), headers: r.Headers,
		reason: deadletter.BadMessage, why: bad, nowMicros: nowMicros, about: about,
	})
	if err != nil {
		return dst, err
	}
	return append(dst, letter), nil
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

// outbox makes the record that a message for an outbox is.
func (m *messenger) outbox(_ context.Context, r *kgo.Record, e *schema.Event, _ int64) error {
	topic, key, _ := strings.Cut(strings.TrimPrefix(e.Message.Prefix, outboxPrefix), ":")
	r.Topic, r.Value = topic, append([]byte{}, e.Message.Content...)
	if key != "" {
		r.Key = []byte(key)
	}
	switch {
	case !topicName.MatchString(topic) || topic == "." || topic == "..":
		return badMessage(e, fmt.Sprintf("%.300q is not the name of a topic", topic), "Kafka allows letters, digits, '.', '_' and '-', at most 249",
			"emit it as outbox:<topic>:<key>")
	case m.own[topic]:
		return badMessage(e, "topic "+topic+" is the capture's own", "a record of another would be taken for one of the capture's", "emit it to another topic")
	case strings.HasPrefix(topic, "__"):
		return badMessage(e, "topic "+topic+" is Kafka's own", "a record of somebody else's would be taken for one of Kafka's", "emit it to another topic")
	case !m.cfg.Messages.allows(topic):
		return badMessage(e, "topic "+topic+" is none that messages may name", "who can emit a message could else write to any topic",
			"name it in kafka.outbox_topics, and start again")
	}
	return nil
}

// allows reports whether a message may name the topic.
func (m *Messages) allows(topic string) bool {
	for _, pattern := range m.Outbox {
		if shape.Match(pattern, topic) {
			return true
		}
	}
	return false
}

// place finds the record's partition, in a topic that takes it.
func (m *messenger) place(ctx context.Context, r *kgo.Record, e *schema.Event) error {
	ref, err := m.ref(ctx, r.Topic)
	if err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Unreachable {
			return badMessage(e, f.Where+" "+f.What, f.Why, f.Fix)
		}
		return err
	}
	switch limit := int(ref.maxBytes); {
	case r.Key == nil && ref.compacted:
		return badMessage(e, "it has no key, and topic "+r.Topic+" is compacted", "such a topic takes no record without a key", "emit it as outbox:<topic>:<key>")
	case limit > 0 && size(r) > limit:
		return badMessage(e, fmt.Sprintf("its record has %d bytes, topic %s takes %d", size(r), r.Topic, limit), "", "raise max.message.bytes of the topic")
	}
	r.Partition = ref.partition(r.Key)
	return nil
}

// badMessage is the fault of a message of which no record can be delivered.
func badMessage(e *schema.Event, what, why, fix string) error {
	return &fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("message %.300q at %s, change %d", e.Message.Prefix, e.Source.CommitLSN, e.Source.Seq), What: what, Why: why,
		Fix: fix + "; what is in the log cannot be changed: kafka.bad_messages: dead-letter gets past it",
	}
}

// ref opens a topic when it is first written to.
func (m *messenger) ref(ctx context.Context, topic string) (topicRef, error) {
	if ref, known := m.topics[topic]; known {
		return ref, nil
	}
	info, err := m.open(ctx, topic)
	if err != nil {
		return topicRef{}, err
	}
	ref := newTopicRef(topic, info.partitions)
	ref.maxBytes, ref.compacted = info.maxBytes, info.compacted
	m.topics[topic] = ref
	return ref, nil
}
