package cdc

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

// wireForm is what a column of a key is in Avro and Protobuf.
type wireForm uint8

const (
	wireText wireForm = iota
	wireInteger
	wireBool
	wireOctets
	wireDecimal
)

func wireFormOf(f *format.Format, c *schema.Column) wireForm {
	base, _ := c.Type.Base(c.TypeMod)
	switch base.OID {
	case typeBool:
		return wireBool
	case typeInt2, typeInt4, typeInt8, typeOID:
		return wireInteger
	case typeDate, typeTime, typeTimestamp:
		if f.Options.Time != debezium.TimeISOString {
			return wireInteger
		}
	case typeBytea:
		if f.Options.Binary == debezium.BinaryBytes {
			return wireOctets
		}
	case typeNumeric:
		return wireDecimal
	}
	return wireText
}

var errNoKey = errors.New("these octets are no key of the table")

// unwrapped is a key of Avro or Protobuf as the same key is in Debezium's JSON. What it takes
// for granted is checked by making the key again.
func (o *ownRows) unwrapped(key []byte) ([]byte, error) {
	const header = 5 // a zero and the schema's id
	if len(key) < header {
		return nil, errNoKey
	}
	fields := map[string]any{}
	read := o.readAvro
	if o.table.Format.Kind == format.Protobuf {
		read = o.readProtobuf
	}
	if err := read(fields, key[header:]); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// keyColumns are those of the key in its order.
func (o *ownRows) keyColumns() (columns []*schema.Column) {
	for _, i := range o.shape.KeyColumns() {
		columns = append(columns, &o.shape.Relation().Columns[i])
	}
	return columns
}

func (o *ownRows) readAvro(fields map[string]any, key []byte) error {
	for _, c := range o.keyColumns() {
		form := wireFormOf(&o.table.Format, c)
		if form == wireBool {
			if len(key) == 0 {
				return errNoKey
			}
			fields[c.Name], key = key[0] != 0, key[1:]
			continue
		}
		n, used := binary.Varint(key)
		if key = key[max(used, 0):]; used <= 0 || form != wireInteger && (n < 0 || n > int64(len(key))) {
			return errNoKey
		}
		if form == wireInteger {
			fields[c.Name] = n
			continue
		}
		fields[c.Name], key = textOrOctets(form, key[:n]), key[n:]
	}
	return nil
}

// textOrOctets is what JSON makes a string or base64 of.
func textOrOctets(form wireForm, data []byte) any {
	if form == wireText {
		return string(data)
	}
	return data
}

func (o *ownRows) readProtobuf(fields map[string]any, key []byte) error {
	if len(key) == 0 || key[0] != 0 { // the schema's first message
		return errNoKey
	}
	given := map[protowire.Number][]byte{}
	if err := eachField(key[1:], func(n protowire.Number, raw []byte) { given[n] = raw }); err != nil {
		return err
	}
	for i, c := range o.keyColumns() {
		value, err := fieldOf(wireFormOf(&o.table.Format, c), given[protowire.Number(i+1)])
		if err != nil {
			return err
		}
		fields[c.Name] = value
	}
	return nil
}

// fieldOf is what JSON has of a field, of which none is the zero.
func fieldOf(form wireForm, raw []byte) (any, error) {
	switch form {
	case wireInteger, wireBool:
		n, used := protowire.ConsumeVarint(raw)
		if used < 0 {
			n = 0
		}
		if form == wireBool {
			return n != 0, nil
		}
		return int64(n), nil
	case wireText, wireOctets, wireDecimal:
	}
	data, _ := protowire.ConsumeBytes(raw)
	if form != wireDecimal {
		return textOrOctets(form, data), nil
	}
	unscaled := []byte{0}
	err := eachField(data, func(n protowire.Number, value []byte) {
		if n == 1 {
			unscaled, _ = protowire.ConsumeBytes(value)
		}
	})
	return unscaled, err
}

// eachField visits the fields of a message, as they are behind their tags.
func eachField(message []byte, visit func(protowire.Number, []byte)) error {
	for len(message) > 0 {
		number, kind, used := protowire.ConsumeTag(message)
		if used < 0 {
			return errNoKey
		}
		message = message[used:]
		size := protowire.ConsumeFieldValue(number, kind, message)
		if size < 0 || size > math.MaxInt32 {
			return errNoKey
		}
		visit(number, message[:size])
		message = message[size:]
	}
	return nil
}
