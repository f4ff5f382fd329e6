package format

import (
	"context"

	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// writer turns a value of one schema into bytes.
type writer interface {
	Append(dst []byte, v connect.Value) []byte
}

// plainJSON is Connect's JSON without schemas.
type plainJSON struct{ schema *connect.Schema }

func (w plainJSON) Append(dst []byte, v connect.Value) []byte {
	return connect.AppendJSON(dst, w.schema, v)
}

// envelopeEncoder renders Debezium's records.
type envelopeEncoder struct {
	table *debezium.Table
	arena connect.Arena
	key   writer // nil without a key
	value writer // of the envelope; of a structured event's data
	json  *debezium.JSON
	plain bool // keys and values are what json writes

	attributes *attributes
	unsaid     []int
}

func newEnvelopeEncoder(ctx context.Context, f *Format, t *Table) (*envelopeEncoder, error) {
	table, err := debezium.Compile(t.Relation, debezium.Spec{
		Origin: t.Origin, Columns: t.Columns, Key: t.Key, Options: f.Options, Transactions: t.Transactions, Topic: t.Topic,
	})
	if err != nil {
		return nil, err
	}
	e := &envelopeEncoder{table: table, json: table.JSON()}
	for field, i := range t.Columns {
		// Protobuf has no NULL of a repeated field.
		if kind := table.RowSchema().Fields[field].Schema.Kind; f.Kind == Protobuf && (kind == connect.Array || kind == connect.Map) {
			e.unsaid = append(e.unsaid, i)
		}
	}
	if e.attributes, err = f.attributes(table.ValueSchema()); err != nil {
		return nil, err
	}
	value := table.ValueSchema()
	if e.attributes.structured() {
		value = e.attributes.events.DataSchema()
	}
	if e.value, err = f.writer(ctx, t.Topic, false, value); err != nil {
		return nil, err
	}
	e.attributes.at(f, e.value)
	if key := table.KeySchema(); key != nil {
		if e.key, err = f.writer(ctx, t.Topic, true, key); err != nil {
			return nil, err
		}
	}
	e.plain = f.Kind == Debezium && !f.Schemas && !e.attributes.structured()
	return e, nil
}

// writer returns what writes the keys or the values of a topic.
func (f *Format) writer(ctx context.Context, topic string, isKey bool, s *connect.Schema) (writer, error) {
	if f.Kind == Avro || f.Kind == Protobuf {
		return f.register(ctx, topic, isKey, s)
	}
	return f.json(s), nil
}

func (f *Format) json(s *connect.Schema) writer {
	if f.Schemas {
		return connect.NewWrapper(s)
	}
	return plainJSON{s}
}

func (e *envelopeEncoder) Unsaid() []int { return e.unsaid }

func (e *envelopeEncoder) AppendKey(dst []byte, row schema.Tuple) ([]byte, error) {
	switch {
	case e.key == nil:
		return dst, nil
	case e.plain:
		return e.json.AppendKey(dst, row)
	}
	e.arena.Reset()
	key, err := e.table.Key(&e.arena, row)
	if err != nil {
		return dst, err
	}
	return e.key.Append(dst, key), nil
}

func (e *envelopeEncoder) AppendKeyText(dst []byte, row schema.Tuple) ([]byte, error) {
	if e.key == nil {
		return dst, nil
	}
	return e.json.AppendKey(dst, row)
}

func (e *envelopeEncoder) AppendValue(dst []byte, event *schema.Event, image debezium.Image, nowMicros int64) ([]byte, error) {
	if e.plain {
		return e.json.AppendValue(dst, event, image, nowMicros)
	}
	e.arena.Reset()
	value, err := e.table.Value(&e.arena, event, image, nowMicros)
	if err != nil {
		return dst, err
	}
	if !e.attributes.structured() {
		return e.value.Append(dst, value), nil
	}
	e.attributes.data = e.value.Append(e.attributes.data[:0], e.attributes.events.Data(&e.arena, value))
	return e.attributes.append(dst, event.Version, value), nil
}

func (e *envelopeEncoder) AppendHeaders(dst []cloudevents.Header, event *schema.Event, of Described) ([]cloudevents.Header, error) {
	return e.attributes.ofTable(dst, e.table, event, of)
}
