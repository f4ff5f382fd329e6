package connect

import "slices"

// Form is how a [Value] holds what it is. The zero Form is Null.
type Form uint8

// The forms. A schema's kind allows one form each: FormBool for Boolean, FormInt
// for the four Ints, FormFloat for the two Floats, FormText for String, FormBytes
// for Bytes, FormList for Array, Map and Struct.
const (
	Null Form = iota
	FormBool
	FormInt
	FormFloat
	FormText
	FormBytes
	FormList
	// FormNumber is a number in JSON's own notation, exact, whatever its size. Only
	// mappings that have no Connect schema use it.
	FormNumber
)

// Value is one value of a [Schema]. It is a plain union, so that a row costs no
// allocation: lists and bytes lie in an [Arena].
type Value struct {
	Form  Form
	Int   int64   // FormInt; FormBool: 0 or 1
	Float float64 // FormFloat
	Bytes []byte  // FormText, FormBytes, FormNumber; may alias the row it was made from
	// List holds the items of an Array, the fields of a Struct in their order, or
	// the entries of a Map as key, value, key, value.
	List []Value
}

// Bool is a FormBool.
func Bool(b bool) Value {
	if b {
		return Value{Form: FormBool, Int: 1}
	}
	return Value{Form: FormBool}
}

// Int is a FormInt.
func Int(i int64) Value { return Value{Form: FormInt, Int: i} }

// Float is a FormFloat.
func Float(f float64) Value { return Value{Form: FormFloat, Float: f} }

// Text is a FormText that aliases b.
func Text(b []byte) Value { return Value{Form: FormText, Bytes: b} }

// Raw is a FormBytes that aliases b.
func Raw(b []byte) Value { return Value{Form: FormBytes, Bytes: b} }

// List is a FormList that keeps items.
func List(items []Value) Value { return Value{Form: FormList, List: items} }

// Arena is the memory of the values of one row, reused for the next. The zero
// Arena is ready. Not safe for concurrent use.
type Arena struct {
	values  []Value
	largest []Value // the largest block of values so far
	bytes   []byte
}

// steps is up to how many values a new block is twice the last one: a few after an
// array of a million must not take two million.
const steps = 1 << 14

// Reset forgets all values: what was made from the arena before is not valid any more.
func (a *Arena) Reset() {
	if cap(a.largest) > cap(a.values) {
		a.values = a.largest
	}
	a.values, a.bytes = a.values[:0], a.bytes[:0]
}

// Values returns n Nulls. Their capacity ends with them: appending copies.
func (a *Arena) Values(n int) []Value {
	if cap(a.values)-len(a.values) < n { // what was handed out stays valid in the old block
		if cap(a.values) > cap(a.largest) {
			a.largest = a.values
		}
		a.values = make([]Value, 0, max(min(2*cap(a.values), steps), n, 64))
	}
	start := len(a.values)
	a.values = a.values[:start+n]
	taken := a.values[start : start+n : start+n]
	clear(taken)
	return taken
}

// Buffer returns an empty slice to append about n bytes to. Keep what append
// returned with [Arena.Keep]; take no other Buffer before that.
func (a *Arena) Buffer(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, max(2*cap(a.bytes), n, 256))
	}
	return a.bytes[len(a.bytes):]
}

// Keep keeps what was appended to the last Buffer, and returns it.
func (a *Arena) Keep(b []byte) []byte {
	if room := a.bytes[len(a.bytes):cap(a.bytes)]; len(b) <= len(room) && len(b) > 0 && &b[0] == &room[0] {
		a.bytes = a.bytes[:len(a.bytes)+len(b)]
	}
	return slices.Clip(b)
}
