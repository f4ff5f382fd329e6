package format

import (
	"context"
	"fmt"
	"strings"

	"penstock/cdc/registry"
	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/debezium"
)

// Kind is the bytes of a format.
type Kind uint8

// The formats.
const (
	Debezium Kind = iota // its envelope, as Kafka Connect's JSON
	Text                 // the same envelope, with every value as Postgres prints it
	JSON                 // the row alone
	Avro                 // Debezium's envelope, with a schema registry
	Protobuf             // the same
)

// Names are the formats' names in the configuration.
func Names() []string {
	return []string{Debezium: "debezium", Text: "text", JSON: "json", Avro: "avro", Protobuf: "protobuf"}
}

// String is the format's name in the configuration.
func (k Kind) String() string { return Names()[k] }

// Parse reads a format's name.
func Parse(name string) (Kind, error) {
	for k, known := range Names() {
		if name == known {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("unknown format %q, want one of %s", name, strings.Join(Names(), ", "))
}

// Format says how a table's changes are rendered. The zero Format is Debezium's
// envelope in its default modes, without inline schemas.
type Format struct {
	Kind     Kind
	Options  debezium.Options   // of the envelope's column values
	Schemas  bool               // Debezium: each record carries its schema
	Registry *registry.Registry // Avro and Protobuf
	Events   Events             // whether the records are CloudEvents; Text has no structured ones
}

// Encoder renders the changes of one version of one relation. Not safe for
// concurrent use. Errors name table, column and reason; what was appended before
// one is to be thrown away.
type Encoder interface {
	// AppendKey appends the key of the row, or nothing when the table has none:
	// the record has no key then.
	AppendKey(dst []byte, row schema.Tuple) ([]byte, error)
	// AppendKeyText appends the key as the JSON that headers carry.
	AppendKeyText(dst []byte, row schema.Tuple) ([]byte, error)
	// AppendValue appends the value of a record for the image of an event, or
	// nothing when the format has no value for it: a tombstone then. nowMicros is
	// the time of processing, in microseconds since the Unix epoch.
	AppendValue(dst []byte, e *schema.Event, image debezium.Image, nowMicros int64) ([]byte, error)
	// AppendHeaders appends the headers of a record that is a CloudEvent, which a
	// tombstone beside a delete is not; nothing when the format says no events. The
	// version of e is part of the event's id. The headers own their bytes.
	AppendHeaders(dst []cloudevents.Header, e *schema.Event, of Described) ([]cloudevents.Header, error)
	// Unsaid are the columns of the value whose NULL reads as an empty array or map.
	Unsaid() []int
}

// Described is the record that headers are for.
type Described struct {
	Op        schema.Op // of its image
	HasValue  bool
	NowMicros int64
}

// Table is what an [Encoder] is made of.
type Table struct {
	Origin       debezium.Origin
	Relation     *schema.Relation
	Columns      []int // that the value holds
	Key          []int // that the key is made of; nil for none
	Topic        string
	Transactions bool // the envelope's transaction block is filled
}

// Compile makes the encoder of a relation. It asks the registry, if the format has
// one; that error is a *fault.Error.
func (f *Format) Compile(ctx context.Context, t Table) (Encoder, error) {
	switch f.Kind {
	case Text:
		return newTextEncoder(f, &t)
	case JSON:
		return newRowEncoder(f, &t)
	case Debezium, Avro, Protobuf:
	}
	return newEnvelopeEncoder(ctx, f, &t)
}
