package plan

import (
	"time"

	"penstock/schema"
)

// Declaration is a pipeline as a configuration gives it.
type Declaration struct {
	Name   string // the pipeline's
	Stream Side
	Lookup Side
	Key    []string // columns of the stream table that tell its rows apart: its primary key

	Columns []Output // what the pipeline keeps, in this order
	Filter  string   // a boolean expression: rows of which it is not true are not kept; empty keeps all

	Cassandra Target
	Redis     Hash
}

// Side is one table of the join.
type Side struct {
	Table   schema.TableName
	Columns []Column // those that the pipeline uses
	Join    string   // the column by which it is joined
}

// Column is a column of a source table.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
	Native  Native
}

// Output is a column of the result.
type Output struct {
	Name string
	Expr string
}

// Target is the table of Cassandra that the result is kept in.
type Target struct {
	Keyspace, Table string
	Partition       []string // columns of the result
	Clustering      []Order
	TTL             time.Duration // 0 keeps rows for ever
}

// Order is a clustering column and its order.
type Order struct {
	Column     string
	Descending bool
}

// Hash is the hash of Redis that the current row is kept in.
type Hash struct {
	Key    string   // a template: {column} stands for a column of the result
	Fields []string // columns of the result; empty is all
}

// Problem is what is wrong with a declaration.
type Problem struct {
	Path   string // of the key, from the pipeline's section: columns.total
	Offset int    // in characters, within the value at Path
	What   string
	Why    string
	Fix    string
}

// Error says what is wrong.
func (p *Problem) Error() string { return p.Path + ": " + p.What }
