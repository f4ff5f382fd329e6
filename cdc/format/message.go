package format

import (
	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// MessageEncoder renders logical messages as Debezium's records, in Connect's
// JSON whatever the tables have. Not safe for concurrent use.
type MessageEncoder struct {
	messages *debezium.Messages
	arena    connect.Arena
	key      writer
	value    writer
}

// CompileMessages makes the encoder of logical messages.
func (f *Format) CompileMessages(origin debezium.Origin, transactions bool) *MessageEncoder {
	messages := debezium.CompileMessages(origin, transactions, f.Options)
	return &MessageEncoder{messages: messages, key: f.json(messages.KeySchema()), value: f.json(messages.ValueSchema())}
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
	return e.value.Append(dst, value), nil
}
