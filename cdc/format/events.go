package format

import (
	"fmt"
	"strings"

	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// Events says whether records are CloudEvents, and how.
type Events uint8

// The content modes of CloudEvents, and none.
const (
	NoEvents         Events = iota
	BinaryEvents            // the attributes are headers, the value is the format's
	StructuredEvents        // the value is a JSON object of the attributes and the rows
)

// EventModes are the modes' names in the configuration.
func EventModes() []string { return []string{"none", "binary", "structured"} }

// ParseEvents reads a mode's name.
func ParseEvents(name string) (Events, error) {
	for mode, known := range EventModes() {
		if name == known {
			return Events(mode), nil
		}
	}
	return 0, fmt.Errorf("unknown content mode %q, want one of %s", name, strings.Join(EventModes(), ", "))
}

// attributes makes the attributes of one schema's envelopes; nil makes none. Not safe
// for concurrent use.
type attributes struct {
	mode    Events
	events  *cloudevents.Events
	content string // type of the value, or of the data
	schema  string // its address in the registry; empty for none
	arena   connect.Arena
	data    []byte // of the last structured event, reused
}

// attributes compiles the attributes of an envelope; nil when the format has none.
func (f *Format) attributes(envelope *connect.Schema) (*attributes, error) {
	if f.Events == NoEvents {
		return nil, nil //nolint:nilnil // nil is attributes that are none
	}
	events, err := cloudevents.Compile(envelope, cloudevents.Options{})
	if err != nil {
		return nil, err
	}
	a := &attributes{mode: f.Events, events: events, content: cloudevents.ContentJSON}
	switch f.Kind {
	case Avro:
		a.content = cloudevents.ContentAvro
	case Protobuf:
		a.content = cloudevents.ContentProtobuf
	case Debezium, Text, JSON:
	}
	return a, nil
}

// describe is [Format.attributes] for a format that makes no envelope of Connect's:
// one is made for the attributes alone, without rows.
func (f *Format) describe(t *Table) (*attributes, *debezium.Table, error) {
	if f.Events == NoEvents {
		return nil, nil, nil
	}
	table, err := debezium.Compile(t.Relation, debezium.Spec{Origin: t.Origin, Transactions: t.Transactions, Topic: t.Topic})
	if err != nil {
		return nil, nil, err
	}
	a, err := f.attributes(table.ValueSchema())
	return a, table, err
}

// structured reports whether the value is an event with its attributes.
func (a *attributes) structured() bool { return a != nil && a.mode == StructuredEvents }

// at notes which schema of a registry the bytes of w have.
func (a *attributes) at(f *Format, w writer) {
	if r, ok := w.(registered); ok && a != nil {
		a.schema = cloudevents.SchemaURI(f.Registry.Address(), r.id)
	}
}

// headers appends what the headers say of a record with an envelope.
func (a *attributes) headers(dst []cloudevents.Header, version int64, envelope connect.Value, hasValue bool) []cloudevents.Header {
	if a.mode == StructuredEvents {
		if !hasValue {
			return dst
		}
		return append(dst, cloudevents.Header{Key: "content-type", Value: []byte(cloudevents.ContentStructured + "; charset=UTF-8")})
	}
	r := cloudevents.Record{Envelope: envelope, Version: version}
	if hasValue {
		r.ContentType, r.DataSchema = a.content, a.schema
	}
	dst, _ = a.events.AppendHeaders(dst, make([]byte, 0, eventBytes), &r)
	return dst
}

// eventBytes is room for the values of an event's headers.
const eventBytes = 768

// ofTable appends the headers of a record of a table.
func (a *attributes) ofTable(dst []cloudevents.Header, t *debezium.Table, e *schema.Event, of Described) ([]cloudevents.Header, error) {
	if a == nil {
		return dst, nil
	}
	a.arena.Reset()
	envelope, err := t.Value(&a.arena, e, debezium.Image{Op: of.Op}, of.NowMicros)
	if err != nil {
		return dst, err
	}
	return a.headers(dst, e.Version, envelope, of.HasValue), nil
}

// append appends an event in structured content mode; a.data is its data.
func (a *attributes) append(dst []byte, version int64, envelope connect.Value) []byte {
	return a.events.AppendStructured(dst, &cloudevents.Record{
		Envelope: envelope, Version: version, ContentType: a.content, DataSchema: a.schema,
	}, a.data)
}
