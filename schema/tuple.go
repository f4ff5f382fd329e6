package schema

// ValueKind is the state of one column of a tuple. The zero kind is Null.
type ValueKind uint8

// The states a column can be in. Unchanged is not a value: the row keeps what it
// had, and the log does not say what that is (a TOASTed column that the update
// did not touch).
const (
	Null ValueKind = iota
	Unchanged
	Text
	Binary
)

// Value is one column of a tuple: its state and, for Text and Binary, the bytes
// in the type's output format. Data aliases the buffer the tuple was decoded
// from and must be copied to outlive it.
type Value struct {
	Kind ValueKind
	Data []byte
}

// Tuple is a row in the column order of its Relation. A nil Tuple means that the
// log holds no such row image.
type Tuple []Value
