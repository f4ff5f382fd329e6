package format

import (
	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/connect"
	"penstock/schema/debezium"
	"penstock/schema/plain"
)

// rowEncoder renders the row alone: a delete is a tombstone, and so is a truncate.
type rowEncoder struct {
	table *plain.Table

	attributes *attributes
	described  *debezium.Table // by the attributes
	arena      connect.Arena
}

func newRowEncoder(f *Format, t *Table) (*rowEncoder, error) {
	table, err := plain.Compile(t.Relation, t.Columns, t.Key)
	if err != nil {
		return nil, err
	}
	e := &rowEncoder{table: table}
	e.attributes, e.described, err = f.describe(t)
	return e, err
}

// Unsaid is empty: the row has null.
func (e *rowEncoder) Unsaid() []int { return nil }

func (e *rowEncoder) AppendKey(dst []byte, row schema.Tuple) ([]byte, error) {
	return e.table.AppendKey(dst, row)
}

func (e *rowEncoder) AppendKeyText(dst []byte, row schema.Tuple) ([]byte, error) {
	return e.table.AppendKey(dst, row)
}

func (e *rowEncoder) AppendValue(dst []byte, event *schema.Event, image debezium.Image, nowMicros int64) ([]byte, error) {
	if image.After == nil {
		return dst, nil
	}
	if !e.attributes.structured() {
		return e.table.AppendRow(dst, image.After)
	}
	var err error
	if e.attributes.data, err = e.table.AppendRow(e.attributes.data[:0], image.After); err != nil {
		return dst, err
	}
	e.arena.Reset()
	envelope, err := e.described.Value(&e.arena, event, debezium.Image{Op: image.Op}, nowMicros)
	if err != nil {
		return dst, err
	}
	return e.attributes.append(dst, event.Version, envelope), nil
}

func (e *rowEncoder) AppendHeaders(dst []cloudevents.Header, event *schema.Event, of Described) ([]cloudevents.Header, error) {
	return e.attributes.ofTable(dst, e.described, event, of)
}
