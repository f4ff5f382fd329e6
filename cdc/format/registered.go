package format

import (
	"context"

	"penstock/cdc/registry"
	"penstock/schema/avro"
	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

// registered writes values whose schema is in a registry, in Confluent's wire
// format: what names the schema, and then the bytes.
type registered struct {
	id     int // of the schema
	header []byte
	codec  writer
}

func (w registered) Append(dst []byte, v connect.Value) []byte {
	return w.codec.Append(append(dst, w.header...), v)
}

// register has the schema of a topic's keys or values registered, and returns the
// writer for it.
func (f *Format) register(ctx context.Context, topic string, isKey bool, s *connect.Schema) (writer, error) {
	known := registry.Schema{Record: s.Name}
	var w registered
	var indexes []int
	if f.Kind == Avro {
		codec, err := avro.Compile(s)
		if err != nil {
			return nil, err
		}
		known.Kind, known.Text, w.codec = registry.Avro, codec.Schema(), codec
	} else {
		codec, err := protobuf.Compile(s)
		if err != nil {
			return nil, err
		}
		known.Kind, known.Text, w.codec = registry.Protobuf, codec.Schema(), codec
		indexes = codec.MessageIndexes()
	}
	id, err := f.Registry.ID(ctx, topic, isKey, known)
	if err != nil {
		return nil, err
	}
	w.id, w.header = id, registry.AppendHeader(nil, id)
	if f.Kind == Protobuf {
		w.header = registry.AppendMessageIndexes(w.header, indexes)
	}
	return w, nil
}
