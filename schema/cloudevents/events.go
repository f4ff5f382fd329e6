package cloudevents

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"penstock/schema/connect"
)

// The content types of data.
const (
	ContentJSON     = "application/json"
	ContentAvro     = "application/avro"
	ContentProtobuf = "application/protobuf"
)

// Options are the converter's settings.
type Options struct {
	// NoExtensions leaves out the iodebezium attributes; the converter's
	// extension.attributes.enable=false.
	NoExtensions bool
}

// Record is one event: its envelope, and what the envelope does not say.
type Record struct {
	Envelope    connect.Value // of the schema that was compiled
	Version     int64         // the change's version, part of the id; 0 for none
	ContentType string        // of the data; empty for headers beside no value
	DataSchema  string        // where the data's schema is; empty for none
}

// SchemaURI is the address of a schema in a registry, as the attribute dataschema
// says it.
func SchemaURI(registry string, id int) string {
	return registry + "/schemas/ids/" + strconv.Itoa(id)
}

// Events makes CloudEvents of the envelopes of one schema. It is immutable and
// safe for concurrent use.
type Events struct {
	data          *connect.Schema
	before, after int // -1 in a message's envelope
	message       int // -1 in a row's envelope
	op            int
	source        int
	transaction   int
	connector     int // in the source block, as what follows
	name          int
	tsMillis      int
	txID          int
	lsn           int
	sequence      int
	extensions    []extension
}

// extension is one attribute beyond those of CloudEvents, and where it comes from.
type extension struct {
	header  string // ce_iodebeziumop
	json    string // ,"iodebeziumop":
	block   int    // the envelope's field that holds it: a block, or -1 for the envelope itself
	index   int    // in the block
	wide    bool   // 64 bits: a text in JSON
	instead *connect.Value
}

// Compile finds in an envelope's schema what events are made of. An error names
// the field that is missing, or that is of a type which no attribute can have.
func Compile(envelope *connect.Schema, o Options) (*Events, error) {
	e := &Events{}
	fields := []wanted{{"op", &e.op}, {"source", &e.source}, {"transaction", &e.transaction}}
	if e.before, e.after, e.message = -1, -1, indexOf(envelope, "message"); e.message < 0 {
		fields = append(fields, wanted{"before", &e.before}, wanted{"after", &e.after})
	}
	for _, f := range fields {
		if *f.index = indexOf(envelope, f.name); *f.index < 0 {
			return nil, fmt.Errorf("compile the envelope %s: it has no field %s", envelope.Name, f.name)
		}
	}
	source := envelope.Fields[e.source].Schema
	for _, f := range []wanted{
		{"connector", &e.connector}, {"name", &e.name}, {"ts_ms", &e.tsMillis},
		{"txId", &e.txID}, {"lsn", &e.lsn}, {"sequence", &e.sequence},
	} {
		if *f.index = indexOf(source, f.name); *f.index < 0 {
			return nil, fmt.Errorf("compile the source block of the envelope %s: it has no field %s", envelope.Name, f.name)
		}
	}
	if e.message >= 0 {
		e.data = envelope.Fields[e.message].Schema
	} else {
		e.data = &connect.Schema{
			Kind: connect.Struct, Name: "io.debezium.connector.postgresql.Data",
			Fields: []connect.Field{envelope.Fields[e.before], envelope.Fields[e.after]},
		}
	}
	if o.NoExtensions {
		return e, nil
	}
	return e, e.extend(envelope)
}

// wanted is a field that must be there, and where to keep its index.
type wanted struct {
	name  string
	index *int
}

// extend lists the attributes beyond CloudEvents' own, in the converter's order.
func (e *Events) extend(envelope *connect.Schema) error {
	if err := e.add("", "", -1, e.op, &envelope.Fields[e.op]); err != nil {
		return err
	}
	for _, block := range []struct {
		path, prefix string
		index        int
	}{{"source.", "", e.source}, {"transaction.", "tx", e.transaction}} {
		s := envelope.Fields[block.index].Schema
		if s == nil || s.Kind != connect.Struct {
			return fmt.Errorf("compile the field %s: it is no struct", envelope.Fields[block.index].Name)
		}
		for i := range s.Fields {
			if err := e.add(block.path, block.prefix, block.index, i, &s.Fields[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Events) add(path, prefix string, block, index int, f *connect.Field) error {
	if f.Schema == nil {
		return fmt.Errorf("compile the field %s%s: it has no schema", path, f.Name)
	}
	switch f.Schema.Kind {
	case connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.String:
	default:
		return fmt.Errorf("compile the field %s%s: an attribute cannot be of type %s", path, f.Name, f.Schema.Kind)
	}
	var name strings.Builder
	name.WriteString("iodebezium" + prefix)
	for _, r := range f.Name { // attributes have letters and digits only
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			name.WriteRune(r)
		}
	}
	e.extensions = append(e.extensions, extension{
		header: "ce_" + name.String(), json: `,"` + name.String() + `":`,
		block: block, index: index, wide: f.Schema.Kind == connect.Int64, instead: f.Schema.Default,
	})
	return nil
}

// DataSchema is the schema of an event's data: the rows before and after, or the
// message.
func (e *Events) DataSchema() *connect.Schema { return e.data }

// Data is the data of an envelope, a value of [Events.DataSchema]. It is valid
// until the arena is reset.
func (e *Events) Data(a *connect.Arena, envelope connect.Value) connect.Value {
	if e.message >= 0 {
		return at(envelope, e.message)
	}
	rows := a.Values(2)
	rows[0], rows[1] = at(envelope, e.before), at(envelope, e.after)
	return connect.List(rows)
}

func (e *Events) appendID(dst []byte, r *Record, source connect.Value) []byte {
	dst = appendPlain(append(dst, "name:"...), at(source, e.name))
	dst = appendPlain(append(dst, ";lsn:"...), at(source, e.lsn))
	dst = appendPlain(append(dst, ";txId:"...), at(source, e.txID))
	dst = appendPlain(append(dst, ";sequence:"...), at(source, e.sequence))
	if r.Version == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, ";version:"...), r.Version, 10)
}

func (e *Events) appendSource(dst []byte, source connect.Value) []byte {
	dst = appendPlain(append(dst, "/debezium/"...), at(source, e.connector))
	return appendPlain(append(dst, '/'), at(source, e.name))
}

func (e *Events) appendType(dst []byte, source connect.Value) []byte {
	dst = appendPlain(append(dst, "io.debezium.connector."...), at(source, e.connector))
	return append(dst, ".DataChangeEvent"...)
}

func (e *Events) appendTime(dst []byte, source connect.Value) []byte {
	return time.UnixMilli(at(source, e.tsMillis).Int).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

// value is the extension's, a null replaced by the field's default.
func (x *extension) value(envelope connect.Value) connect.Value {
	block := envelope
	if x.block >= 0 {
		block = at(envelope, x.block)
	}
	v := at(block, x.index)
	if v.Form == connect.Null && block.Form != connect.Null && x.instead != nil {
		return *x.instead
	}
	return v
}

// appendPlain appends a value as text; null for none.
func appendPlain(dst []byte, v connect.Value) []byte {
	switch v.Form {
	case connect.FormInt:
		return strconv.AppendInt(dst, v.Int, 10)
	case connect.FormBool:
		return strconv.AppendBool(dst, v.Int != 0)
	case connect.FormText:
		return append(dst, v.Bytes...)
	}
	return append(dst, "null"...)
}

// at is a field of a block; Null when there is none.
func at(block connect.Value, index int) connect.Value {
	if index >= len(block.List) {
		return connect.Value{}
	}
	return block.List[index]
}

func indexOf(s *connect.Schema, field string) int {
	if s == nil {
		return -1
	}
	for i := range s.Fields {
		if s.Fields[i].Name == field {
			return i
		}
	}
	return -1
}
