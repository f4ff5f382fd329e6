package format

import (
	"context"

	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// MarkEncoder renders the begin and the end of transactions as the records of
// Debezium's transaction metadata: in Connect's JSON where the format is one of JSON,
// else with the schema registry. Not safe for concurrent use.
type MarkEncoder struct {
	arena      connect.Arena
	key, value writer
}

// CompileMarks makes the encoder of a topic's marks. It asks the registry, if the
// format has one; that error is a *fault.Error.
func (f *Format) CompileMarks(ctx context.Context, topic string) (*MarkEncoder, error) {
	e := &MarkEncoder{}
	var err error
	if e.value, err = f.writer(ctx, topic, false, debezium.TransactionValueSchema()); err != nil {
		return nil, err
	}
	e.key, err = f.writer(ctx, topic, true, debezium.TransactionKeySchema())
	return e, err
}

// AppendKey appends the key of a mark: the transaction's id.
func (e *MarkEncoder) AppendKey(dst []byte, b *debezium.Boundary) []byte {
	e.arena.Reset()
	return e.key.Append(dst, b.Key(&e.arena))
}

// AppendValue appends the value of a mark.
func (e *MarkEncoder) AppendValue(dst []byte, b *debezium.Boundary) []byte {
	e.arena.Reset()
	return e.value.Append(dst, b.Value(&e.arena))
}
