package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a slot. The zero type is that of SQL NULL.
type Type uint8

// The types.
const (
	Bool  Type = iota + 1
	Int        // of 64 bits; smallint and integer are kept as such
	Float      // of 64 bits
	Text       // also what has no type of its own here, as Postgres prints it
	UUID       // its text, in lower case
	Time       // microseconds since the Unix epoch, UTC
)

// typeNames are Postgres' names of the types: the first is the one shown.
var typeNames = map[Type][]string{ //nolint:gochecknoglobals // a table that nobody writes to
	Bool:  {"boolean", "bool"},
	Int:   {"bigint", "integer", "int", "smallint", "int8", "int4", "int2"},
	Float: {"double precision", "float8", "real", "float4"},
	Text:  {"text", "varchar", "character varying", "numeric", "json", "jsonb", "date"},
	UUID:  {"uuid"},
	Time:  {"timestamptz", "timestamp with time zone", "timestamp", "timestamp without time zone"},
}

// Native tells apart the types of Postgres that become one of the plan's, where
// their values are not the same.
type Native uint8

// The natives.
const (
	Usual Native = iota // the first of the type's names, and all whose values are among its own
	Real                // of Float: 32 bits, widened as Postgres casts it
	Local               // of Time: without a time zone, and taken for UTC
)

// ParseType reads the name of a type as Postgres has it.
func ParseType(name string) (t Type, native Native, ok bool) {
	name = strings.ToLower(name)
	for t, names := range typeNames {
		switch at := slices.Index(names, name); {
		case at < 0:
			continue
		case t == Float && at >= 2:
			return t, Real, true
		case t == Time && at >= 2:
			return t, Local, true
		}
		return t, Usual, true
	}
	return 0, Usual, false
}

// TypeNames lists every name that [ParseType] reads.
func TypeNames() []string {
	var all []string
	for _, names := range typeNames {
		all = append(all, names...)
	}
	slices.Sort(all)
	return all
}

// String is the type's name.
func (t Type) String() string {
	if names, ok := typeNames[t]; ok {
		return names[0]
	}
	return "null"
}

// Value is what one slot holds. The zero Value is NULL. Values are comparable:
// equal ones are the same value, and the same type.
type Value struct {
	kind Type
	num  int64 // Bool: 0 or 1; Int; Float: its bits; Time
	text string
}

// Row is the slots of one row of the plan, in the plan's order.
type Row []Value

// BoolOf is a boolean.
func BoolOf(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// IntOf is an integer.
func IntOf(n int64) Value { return Value{kind: Int, num: n} }

// FloatOf is a number of double precision.
func FloatOf(f float64) Value { return Value{kind: Float, num: int64(math.Float64bits(f))} }

// TextOf is a text.
func TextOf(s string) Value { return Value{kind: Text, text: s} }

// TimeOf is a time, in microseconds since the Unix epoch.
func TimeOf(micros int64) Value { return Value{kind: Time, num: micros} }

// UUIDOf is a uuid in the form that Postgres prints: 8-4-4-4-12 hexadecimal
// digits in lower case.
func UUIDOf(s string) (Value, error) {
	if len(s) != 36 {
		return Value{}, fmt.Errorf("uuid %q: want 8-4-4-4-12 hexadecimal digits", s)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return Value{}, fmt.Errorf("uuid %q: want 8-4-4-4-12 hexadecimal digits", s)
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		case c >= 'A' && c <= 'F':
			return UUIDOf(strings.ToLower(s))
		default:
			return Value{}, fmt.Errorf("uuid %q: want 8-4-4-4-12 hexadecimal digits", s)
		}
	}
	return Value{kind: UUID, text: s}, nil
}

// Type is the value's type, zero for NULL.
func (v Value) Type() Type { return v.kind }

// IsNull reports whether the value is NULL.
func (v Value) IsNull() bool { return v.kind == 0 }

// Equal is ==, for who compares values by method.
func (v Value) Equal(other Value) bool { return v == other }

// Bool is the boolean, false for anything else.
func (v Value) Bool() bool { return v.kind == Bool && v.num == 1 }

// Int is the integer, or the microseconds of a time.
func (v Value) Int() int64 { return v.num }

// Float is the number of a Float.
func (v Value) Float() float64 { return math.Float64frombits(uint64(v.num)) }

// Text is the text of a Text or UUID.
func (v Value) Text() string { return v.text }

// String prints the value as Postgres does in a session in UTC, but for floats and
// times, which are as in Redis. NULL is the empty text.
func (v Value) String() string {
	switch v.kind {
	case Bool:
		return strconv.FormatBool(v.num == 1)
	case Int:
		return strconv.FormatInt(v.num, 10)
	case Float:
		return FormatFloat(v.Float())
	case Text, UUID:
		return v.text
	case Time:
		return FormatTime(v.num)
	}
	return ""
}
