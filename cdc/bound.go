package cdc

import (
	"fmt"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
)

// What a value becomes may be many times its size in memory: six octets for each control
// character, a struct for each element of an array. So before a large one is rendered it
// is asked how many octets it will take at least.

// floor is how a column's values give a lower bound of their form in records.
type floor uint8

const (
	floorNone     floor = iota // nothing is known
	floorOctets                // as many octets as the text
	floorEscaped               // a JSON string of the text
	floorHalf                  // what the hexadecimal text stands for
	floorElements              // an octet for each element
)

// shortValue is a length below which values do not count.
const shortValue = 64

// floors are those of a relation's columns in a format; columns are those in the value.
func floors(rel *schema.Relation, columns []int, kind format.Kind) []floor {
	all := make([]floor, len(rel.Columns))
	for _, i := range columns {
		all[i] = floorOf(rel.Columns[i].TypeOID, rel.Columns[i].Type, kind)
	}
	return all
}

func floorOf(oid uint32, t *schema.Type, kind format.Kind) floor {
	for t != nil && t.Kind == schema.TypeDomain && t.Elem != nil {
		t = t.Elem
		oid = t.OID
	}
	text := floorEscaped
	if kind == format.Avro || kind == format.Protobuf {
		text = floorOctets
	}
	const bytea, name, textOID, json, xml, bpchar, varchar, jsonb = 17, 19, 25, 114, 142, 1042, 1043, 3802
	switch oid {
	case name, textOID, xml, bpchar, varchar:
		return text
	case json, jsonb:
		if kind == format.JSON {
			return floorNone // it is part of the object, without its white space
		}
		return text
	case bytea:
		if kind == format.Text {
			return text
		}
		return floorHalf
	}
	switch {
	case kind == format.Text:
		return floorOctets
	case t != nil && t.Kind == schema.TypeArray:
		return floorElements
	}
	return floorNone
}

// least is how many octets a value takes at least.
func (f floor) least(v schema.Value, delimiter byte) int {
	if len(v.Data) < shortValue {
		return 0
	}
	switch f {
	case floorOctets:
		return len(v.Data)
	case floorEscaped:
		return escaped(v.Data)
	case floorHalf:
		return len(v.Data)/2 - 1
	case floorElements:
		return elements(v.Data, delimiter)
	case floorNone:
	}
	return 0
}

// escaped is how long the shorter of our two JSON strings of a text is at least.
func escaped(text []byte) int {
	n := len(text)
	for _, b := range text {
		switch {
		case b == '"' || b == '\\' || b == '\b' || b == '\f' || b == '\n' || b == '\r' || b == '\t':
			n++
		case b < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// elements counts those of an array's text, of all its dimensions.
func elements(text []byte, delimiter byte) int {
	n, quoted := 1, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case delimiter:
			if !quoted {
				n++
			}
		}
	}
	return n
}

// least is how many octets the value of a record with the image takes at least; 0, at
// little cost, for one that is far below limit.
func (c *change) least(image debezium.Image, limit int) int {
	const most = 8 // times that a record is larger than the text of its values
	rows := [2]schema.Tuple{image.Before, image.After}
	if c.route.table.Format.Kind == format.JSON {
		rows[0] = nil // it is not in the value
	}
	raw, n := 0, 0
	for _, row := range rows {
		for i := range row {
			raw += len(row[i].Data)
		}
	}
	if raw < limit/most {
		return 0
	}
	for _, row := range rows {
		for i := range row {
			delimiter := byte(',')
			if t := c.route.shaped.Columns[i].Type; t != nil && t.Delimiter != 0 {
				delimiter = t.Delimiter
			}
			n += c.route.floors[i].least(row[i], delimiter)
		}
	}
	return n
}

// fits refuses an event whose rows are larger than a pipeline's input topic takes, before
// their envelope is made: it has every column as its text.
func (c *change) fits(j *join) error {
	limit, n := int(j.topic.maxBytes), 0
	for _, row := range []schema.Tuple{c.event.Old, c.event.New} {
		for i := range row {
			n += len(row[i].Data)
		}
	}
	if limit == 0 || n <= limit {
		return nil
	}
	return &fault.Error{
		Kind: fault.Refused, Where: place(c.event),
		What: fmt.Sprintf("its record would have %d bytes or more, topic %s of pipeline %s takes %d", n, j.topic.name, j.pipeline, limit),
		Why:  "the pipeline needs the whole row, whatever records.oversized says",
		Fix:  "raise max.message.bytes of the topic, and message.max.bytes of the brokers",
	}
}
