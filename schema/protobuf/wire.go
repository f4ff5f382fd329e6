package protobuf

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"penstock/schema/connect"
)

// appendMessage appends the fields of a message, whose values are a list.
func appendMessage(dst []byte, m *message, v connect.Value) []byte {
	for i := range min(len(m.fields), len(v.List)) {
		dst = appendField(dst, &m.fields[i], v.List[i])
	}
	return dst
}

// appendField appends a field with its tag, or nothing for what proto3 leaves out.
func appendField(dst []byte, f *field, v connect.Value) []byte {
	if v.Form == connect.Null {
		if f.instead == nil {
			return dst
		}
		v = *f.instead
	}
	number := protowire.Number(f.number)
	switch {
	case f.kind == kindMap, f.kind == kindLists:
		// Each message holds as many values of the list as it has fields.
		for n := len(f.message.fields); len(v.List) >= n; v.List = v.List[n:] {
			dst = protowire.AppendTag(dst, number, protowire.BytesType)
			dst = append(dst, 0)
			start := len(dst)
			dst = closed(appendMessage(dst, f.message, connect.List(v.List[:n])), start)
		}
		return dst
	case f.repeated && f.kind.packs():
		if len(v.List) == 0 {
			return dst
		}
		dst = protowire.AppendTag(dst, number, protowire.BytesType)
		dst = append(dst, 0)
		start := len(dst)
		for _, item := range v.List {
			dst = appendItem(dst, f, item)
		}
		return closed(dst, start)
	case f.repeated:
		for _, item := range v.List {
			dst = protowire.AppendTag(dst, number, protowire.BytesType)
			dst = appendItem(dst, f, item)
		}
		return dst
	case !f.optional && f.isZero(v):
		return dst
	}
	dst = protowire.AppendTag(dst, number, f.kind.wireType())
	return appendItem(dst, f, v)
}

// appendItem appends one item without its tag. A null is the kind's zero.
func appendItem(dst []byte, f *field, v connect.Value) []byte {
	switch f.kind {
	case kindInt32:
		return protowire.AppendVarint(dst, uint64(int64(int32(v.Int))))
	case kindInt64:
		return protowire.AppendVarint(dst, uint64(v.Int))
	case kindBool:
		return protowire.AppendVarint(dst, protowire.EncodeBool(v.Int != 0))
	case kindFloat:
		return protowire.AppendFixed32(dst, math.Float32bits(float32(v.Float)))
	case kindDouble:
		return protowire.AppendFixed64(dst, math.Float64bits(v.Float))
	case kindString:
		return appendText(dst, v.Bytes)
	case kindBytes:
		return protowire.AppendBytes(dst, v.Bytes)
	}
	dst = append(dst, 0)
	start := len(dst)
	if v.Form == connect.Null {
		return dst
	}
	switch f.kind {
	case kindDecimal:
		dst = appendDecimal(dst, v.Bytes, f.scale)
	case kindDate:
		dst = appendDate(dst, int32(v.Int))
	case kindTime:
		dst = appendTime(dst, int32(v.Int))
	case kindTimestamp:
		dst = appendTimestamp(dst, v.Int)
	default:
		dst = appendMessage(dst, f.message, v)
	}
	return closed(dst, start)
}

// isZero reports whether v is what a reader assumes when the field is not there.
func (f *field) isZero(v connect.Value) bool {
	switch f.kind {
	case kindInt32:
		return int32(v.Int) == 0
	case kindInt64, kindBool:
		return v.Int == 0
	case kindFloat:
		return math.Float32bits(float32(v.Float)) == 0 // -0 is written
	case kindDouble:
		return math.Float64bits(v.Float) == 0
	case kindString, kindBytes:
		return len(v.Bytes) == 0
	}
	return false
}

// packs reports whether repeated items share one tag.
func (k kind) packs() bool { return k <= kindDouble }

func (k kind) wireType() protowire.Type {
	switch k {
	case kindInt32, kindInt64, kindBool:
		return protowire.VarintType
	case kindFloat:
		return protowire.Fixed32Type
	case kindDouble:
		return protowire.Fixed64Type
	}
	return protowire.BytesType
}

// closed writes the length of what follows start into the byte before it. What
// is longer than one byte can say moves up.
func closed(dst []byte, start int) []byte {
	n := len(dst) - start
	if n < 1<<7 {
		dst[start-1] = byte(n)
		return dst
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	dst = append(dst, make([]byte, more)...)
	copy(dst[start+more:], dst[start:start+n])
	protowire.AppendVarint(dst[:start-1], uint64(n)) // into the room just made
	return dst
}

// appendText appends a string with its length. Readers refuse what is not UTF-8.
func appendText(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return protowire.AppendBytes(dst, text)
	}
	dst = append(dst, 0)
	start := len(dst)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text) // U+FFFD and 1 for a wrong byte
		dst = utf8.AppendRune(dst, r)
		text = text[size:]
	}
	return closed(dst, start)
}
