package debezium

import (
	"penstock/schema"
	"penstock/schema/connect"
)

// Column is a column's mapping, for the tests of the types: a table needs more.
type Column struct {
	Schema            *connect.Schema
	Convert           func(a *connect.Arena, text []byte) (connect.Value, error)
	AppendJSON        func(dst, text []byte) ([]byte, error)
	Unchanged, Absent connect.Value
}

// NewColumn maps a column.
func NewColumn(c schema.Column, o Options) Column {
	k := newColumn(&c, &o)
	return Column{k.schema, k.convert, k.appendJSON, k.unchanged, k.absent}
}
