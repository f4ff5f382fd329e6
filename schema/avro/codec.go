package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"penstock/schema/connect"
)

// Codec writes the values of one schema. It is immutable and safe for concurrent use.
type Codec struct {
	root *node
	text string
}

// Schema returns the schema in Avro's JSON, to register.
func (c *Codec) Schema() string { return c.text }

// Append appends v, a value of the compiled schema, in Avro's binary encoding and
// without a registry's framing. Bytes that are the whole record are written as
// they are, without a length: Confluent's serializer and deserializer agree on
// that. It allocates only what dst needs to grow.
//
// Null is the schema's default if it takes no null, else null. A value that does
// not fit its schema panics.
func (c *Codec) Append(dst []byte, v connect.Value) []byte {
	if c.root.kind == connect.Bytes && c.root.null == never && v.Form == connect.FormBytes {
		return append(dst, v.Bytes...)
	}
	return c.root.append(dst, &v)
}

// nullable says which branch of its union null is.
type nullable uint8

const (
	never nullable = iota // no union
	first                 // ["null", T]
	last                  // [T, "null"]
)

// node is how the values of one schema are written.
type node struct {
	kind     connect.Kind
	null     nullable
	fallback []byte  // what a null becomes that may be none; nil for nothing
	items    []*node // a Struct's fields, a Map's key and value, an Array's item
	name     string  // for people
}

// The numbers of a union's branches, as they are written.
const (
	branch0 = 0
	branch1 = 2
)

// append appends v. Maps and the records that stand for them have the same bytes.
func (n *node) append(dst []byte, v *connect.Value) []byte {
	if v.Form == connect.Null {
		return n.appendNull(dst)
	}
	if v.Form != n.kind.Form() {
		panic(fmt.Sprintf("a value of form %d is given for a schema of type %s (%s): its mapping must make what its schema says", v.Form, n.kind, n.name))
	}
	switch n.null {
	case first:
		dst = append(dst, branch1)
	case last:
		dst = append(dst, branch0)
	case never:
	}
	switch n.kind {
	case connect.Boolean:
		return append(dst, byte(v.Int&1))
	case connect.Int8, connect.Int16, connect.Int32:
		if v.Int != int64(int32(v.Int)) {
			panic(fmt.Sprintf("%d is given for a schema of type %s (%s)", v.Int, n.kind, n.name))
		}
		return binary.AppendVarint(dst, v.Int)
	case connect.Int64:
		return binary.AppendVarint(dst, v.Int)
	case connect.Float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float)))
	case connect.Float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float))
	case connect.String:
		return appendText(dst, v.Bytes)
	case connect.Bytes:
		return append(binary.AppendVarint(dst, int64(len(v.Bytes))), v.Bytes...)
	case connect.Array, connect.Map:
		return n.appendBlock(dst, v.List)
	case connect.Struct:
		return n.appendFields(dst, v.List)
	}
	panic(fmt.Sprintf("a schema has kind %d: there are only %d", n.kind, connect.Struct+1))
}

func (n *node) appendNull(dst []byte) []byte {
	switch {
	case n.null == first:
		return append(dst, branch0)
	case n.null == last:
		return append(dst, branch1)
	case n.fallback != nil:
		return append(dst, n.fallback...)
	}
	panic(fmt.Sprintf("null is given for a schema of type %s (%s) that takes none and has no default", n.kind, n.name))
}

// appendBlock appends an array or a map as one block and the empty one that ends it.
func (n *node) appendBlock(dst []byte, items []connect.Value) []byte {
	each := len(n.items) // 1, or 2 for a key and its value
	if len(items)%each != 0 {
		panic(fmt.Sprintf("a map has %d values: keys and values must come in pairs", len(items)))
	}
	if len(items) > 0 {
		dst = binary.AppendVarint(dst, int64(len(items)/each))
	}
	for i := range items {
		dst = n.items[i%each].append(dst, &items[i])
	}
	return append(dst, 0)
}

func (n *node) appendFields(dst []byte, fields []connect.Value) []byte {
	if len(fields) != len(n.items) {
		panic(fmt.Sprintf("a struct has %d values, its schema %s %d fields", len(fields), n.name, len(n.items)))
	}
	for i := range fields {
		dst = n.items[i].append(dst, &fields[i])
	}
	return dst
}

// appendText appends a string, which must be UTF-8 for its readers.
func appendText(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return append(binary.AppendVarint(dst, int64(len(text))), text...)
	}
	size := 0
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		size += utf8.RuneLen(r) // of U+FFFD for what is wrong
		rest = rest[n:]
	}
	dst = binary.AppendVarint(dst, int64(size))
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		dst = utf8.AppendRune(dst, r)
		rest = rest[n:]
	}
	return dst
}
