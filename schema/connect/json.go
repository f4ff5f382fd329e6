package connect

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"

	"penstock/schema/jsontext"
)

// AppendJSON appends v, a value of s, as Connect's JSON converter prints it
// without the schema: bytes are base64, Decimals too; a map whose keys are
// strings is an object, any other an array of pairs; NaN and the infinities are
// strings. A FormNumber is printed as it is. Text is escaped octet for octet as the
// converter does: keys choose partitions.
//
// Null is the schema's default if it takes no null, else null. The converter
// prints the default in both cases unless replace.null.with.default is off; a
// NULL would be lost so.
//
// A value that does not fit its schema panics.
func AppendJSON(dst []byte, s *Schema, v Value) []byte { return appendValue(dst, s, &v) }

func appendValue(dst []byte, s *Schema, v *Value) []byte {
	switch v.Form {
	case Null:
		return appendNull(dst, s)
	case FormNumber:
		return append(dst, v.Bytes...)
	case FormBool, FormInt, FormFloat, FormText, FormBytes, FormList:
	}
	if v.Form != s.Kind.Form() {
		panic(fmt.Sprintf("a value of form %d is given for a schema of type %s (%s): its mapping must make what its schema says", v.Form, s.Kind, s.Name))
	}
	switch s.Kind {
	case Boolean:
		return strconv.AppendBool(dst, v.Int != 0)
	case Int8, Int16, Int32, Int64:
		return strconv.AppendInt(dst, v.Int, 10)
	case Float32:
		return appendFloat(dst, v.Float, 32)
	case Float64:
		return appendFloat(dst, v.Float, 64)
	case String:
		return jsontext.AppendJackson(dst, v.Bytes)
	case Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes)
		return append(dst, '"')
	case Array:
		return appendArray(dst, s.Elem, v.List)
	case Map:
		return appendMap(dst, s, v.List)
	case Struct:
		return appendStruct(dst, s, v.List)
	}
	panic(fmt.Sprintf("a schema has kind %d: there are only %d", s.Kind, Struct+1))
}

func appendNull(dst []byte, s *Schema) []byte {
	switch {
	case s.Optional:
		return append(dst, "null"...)
	case s.Default != nil && s.Default.Form != Null:
		return appendValue(dst, s, s.Default)
	}
	panic(fmt.Sprintf("null is given for a schema of type %s (%s) that takes none and has no default", s.Kind, s.Name))
}

// Of an array of more items than manyItems the rest is taken to be as long as one of
// them, up to maxGuess bytes each.
const manyItems, maxGuess = 1 << 12, 32

func appendArray(dst []byte, elem *Schema, items []Value) []byte {
	dst = append(dst, '[')
	for i := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		start := len(dst)
		dst = appendValue(dst, elem, &items[i])
		if i == manyItems { // growing step by step takes several times as much
			dst = slices.Grow(dst, (len(items)-i)*min(len(dst)-start+1, maxGuess))
		}
	}
	return append(dst, ']')
}

func appendStruct(dst []byte, s *Schema, fields []Value) []byte {
	if len(fields) != len(s.Fields) {
		panic(fmt.Sprintf("a struct has %d values, its schema %s %d fields", len(fields), s.Name, len(s.Fields)))
	}
	dst = append(dst, '{')
	for i := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendJackson(dst, s.Fields[i].Name)
		dst = append(dst, ':')
		dst = appendValue(dst, s.Fields[i].Schema, &fields[i])
	}
	return append(dst, '}')
}

func appendMap(dst []byte, s *Schema, entries []Value) []byte {
	if len(entries)%2 != 0 {
		panic(fmt.Sprintf("a map has %d values: keys and values must come in pairs", len(entries)))
	}
	object := s.Key.Kind == String
	if object {
		dst = append(dst, '{')
	} else {
		dst = append(dst, '[')
	}
	for i := 0; i < len(entries); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, value := &entries[i], &entries[i+1]
		if !object {
			dst = appendValue(append(dst, '['), s.Key, key)
			dst = appendValue(append(dst, ','), s.Elem, value)
			dst = append(dst, ']')
			continue
		}
		if key.Form != FormText {
			panic(fmt.Sprintf("a map's key has form %d: only text names a member of an object", key.Form))
		}
		dst = jsontext.AppendJackson(dst, key.Bytes)
		dst = appendValue(append(dst, ':'), s.Elem, value)
	}
	if object {
		return append(dst, '}')
	}
	return append(dst, ']')
}

// appendFloat prints f as Java's Double.toString and Float.toString do: 1.0,
// 1.0E7, 1.0E-5; with an exponent below 0.001 and from ten million.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	start := len(dst)
	if size := math.Abs(f); size == 0 || 1e-3 <= size && size < 1e7 {
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	if bytes.IndexByte(dst[start:], '.') < 0 { // Java prints two digits at least, the nearest: 4.9E-324
		dst = strconv.AppendFloat(dst[:start], f, 'e', 1, bits)
	}
	return javaExponent(dst, start)
}

// javaExponent rewrites the exponent at the end of dst from Go's form, such as
// e+07, to Java's, E7. start is where the number begins.
func javaExponent(dst []byte, start int) []byte {
	e := start + bytes.IndexByte(dst[start:], 'e')
	digits := bytes.TrimLeft(dst[e+2:], "0")
	negative := dst[e+1] == '-'
	dst = append(dst[:e], 'E')
	if negative {
		dst = append(dst, '-')
	}
	return append(dst, digits...)
}
