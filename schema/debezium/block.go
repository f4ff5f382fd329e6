package debezium

import (
	"penstock/schema/connect"
)

// What the schemas and values of this package are built of.

func structOf(name string, version int, fields ...connect.Field) *connect.Schema {
	return &connect.Schema{Kind: connect.Struct, Name: name, Version: version, Fields: fields}
}

func field(name string, k connect.Kind) connect.Field {
	return connect.Field{Name: name, Schema: &connect.Schema{Kind: k}}
}

func optional(name string, k connect.Kind) connect.Field {
	return connect.Field{Name: name, Schema: &connect.Schema{Kind: k, Optional: true}}
}

// structValue copies the fields to the arena.
func structValue(a *connect.Arena, fields ...connect.Value) connect.Value {
	list := a.Values(len(fields))
	copy(list, fields)
	return connect.List(list)
}

// text copies s to the arena.
func text[T ~string | ~[]byte](a *connect.Arena, s T) connect.Value {
	return connect.Text(a.Keep(append(a.Buffer(len(s)), s...)))
}

// constant is a text that is kept: it needs no arena.
func constant(s string) connect.Value { return connect.Text([]byte(s)) }

// millis rounds a time in microseconds down.
func millis(micros int64) int64 {
	ms := micros / 1000
	if micros%1000 < 0 {
		ms--
	}
	return ms
}

func nanos(micros int64) int64 { return micros * 1000 } // overflows in the year 2262
