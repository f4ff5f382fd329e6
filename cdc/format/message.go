package format

import (
	"context"

	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// MessageEncoder renders logical messages as Debezium's records: in Connect's JSON
// where the format is one of JSON, else with the schema registry. Not safe for
// concurrent use.
type MessageEncoder struct {
	messages *debezium.Messages
	arena    connect.Arena
	key      writer
	value    writer // of the envelope; of a structured event's data

	attributes *attributes
}

// CompileMessages makes the encoder of the logical messages of a topic. It asks the
// registry, if the format has one; that error is a *fault.Error.
func (f *Format) CompileMessages(ctx context.Context, topic string, origin debezium.Origin, transactions bool) (*MessageEncoder, error) {
	messages := debezium.CompileMessages(origin, transactions, f.Options)
	e := &MessageEncoder{messages: messages}
	var err error
	if e.attributes, err = f.attributes(messages.ValueSchema()); err != nil {
		return nil, err
	}
	value := messages.ValueSchema()
	if e.attributes.structured() {
		value = e.attributes.events.DataSchema()
	}
	if e.value, err = f.writer(ctx, topic, false, value); err != nil {
		return nil, err
	}
	if e.key, err = f.writer(ctx, topic, true, messages.KeySchema()); err != nil {
		return nil, err
	}
	e.attributes.at(f, e.value)
	return e, nil
}

// AppendKey appends the key of a message's record: its prefix.
func (e *MessageEncoder) AppendKey(dst []byte, event *schema.Event) []byte {
	e.arena.Reset()
	return e.key.Append(dst, e.messages.Key(&e.arena, event))
}

// AppendValue appends the value of a message's record. nowMicros is the time of
// processing, in microseconds since the Unix epoch.
func (e *MessageEncoder) AppendValue(dst []byte, event *schema.Event, nowMicros int64) ([]byte, error) {
	e.arena.Reset()
	value, err := e.messages.Value(&e.arena, event, nowMicros)
	if err != nil {
		return dst, err
	}
	if !e.attributes.structured() {
		return e.value.Append(dst, value), nil
	}
	e.attributes.data = e.value.Append(e.attributes.data[:0], e.attributes.events.Data(&e.arena, value))
	return e.attributes.append(dst, event.Version, value), nil
}

// AppendHeaders appends the headers of a message's record that is a CloudEvent;
// nothing when the format says no events. The headers own their bytes.
func (e *MessageEncoder) AppendHeaders(dst []cloudevents.Header, event *schema.Event, nowMicros int64) ([]cloudevents.Header, error) {
	if e.attributes == nil {
		return dst, nil
	}
	e.arena.Reset()
	value, err := e.messages.Value(&e.arena, event, nowMicros)
	if err != nil {
		return dst, err
	}
	return e.attributes.headers(dst, event.Version, value, true), nil
}
