package stores

import "strings"

// null stands for NULL in a field; no text of the load looks like it.
const null = "\x00NULL"

// fields are a row's, as text, in an order that its kind of row has.
type fields []string

// form is how a column of Cassandra is read.
type form int

const (
	asText form = iota
	asBigint
	asDouble
	asMillis
	asBool
)

// column is a column of Cassandra and the field that it must equal.
type column struct {
	name  string
	field int
	form  form
	key   bool // of the primary key, so it has no write time
}

// table is a table of Cassandra with a row for each row that SQL has.
type table struct {
	name    string
	fields  int
	id      int // the field that tells rows apart
	columns []column
	key     []int // fields that make the id; nil: the id is a column
}

// kept is a table of the stores with what SQL says that it holds.
type kept struct {
	table table
	truth string
	join  int  // the field with the id of the lookup row; -1 for none
	of    side // of which table of the source the rows are
}

// hashes is what Redis has to hold.
type hashes struct {
	truth  string
	join   int
	names  map[string]int // of the hashes' fields, and those of the truth that they must equal
	fields int
}

// side is a table of the source that a pipeline joins.
type side int

const (
	stream side = iota
	lookup
)

// Pipeline is what one pipeline has to keep, as the judge knows it.
type Pipeline struct {
	Name    string
	sources map[string]side // by the table's name
	keys    [2][]string     // of the two, their primary keys
	kept    []kept
	redis   hashes
	totals  bool // it counts its rows by content and hour, too
}

// show is a field for people.
func show(text string) string {
	if text == null {
		return "NULL"
	}
	return strings.ToValidUTF8(text, "?")
}
