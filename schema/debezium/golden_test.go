package debezium_test

import (
	"bytes"
	"testing"

	"penstock/internal/parity/golden"
	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

const goldens = "../../testdata/debezium"

// The records of the real connector, 3.6.1.Final, are those of this package, but for
// what testdata/differences.txt justifies.
func TestRecordsAreTheConnectors(t *testing.T) {
	var found []difference
	values := 0
	for _, compare := range []func(*testing.T) []*comparison{compareTypes, compareShapes, compareMessages, compareBoundaries, compareHeartbeats} {
		for _, c := range compare(t) {
			found = append(found, c.found...)
			values += c.values
		}
	}
	judge(t, found)
	t.Logf("%d values compared, %d differ and are justified", values, len(found))
}

// typesPasses are the recorded passes over the table of all types.
func typesPasses() map[string]debezium.Options {
	return map[string]debezium.Options{
		"types":                   {},
		"types-plain":             {},
		"types-decimal-string":    {Decimal: debezium.DecimalString},
		"types-decimal-double":    {Decimal: debezium.DecimalDouble},
		"types-time-connect":      {Time: debezium.TimeConnect},
		"types-time-microseconds": {Time: debezium.TimeAdaptiveTimeMicroseconds},
		"types-time-isostring":    {Time: debezium.TimeISOString},
		"types-interval-string":   {Interval: debezium.IntervalString},
		"types-binary-base64":     {Binary: debezium.BinaryBase64, HStore: debezium.HStoreMap},
		"types-binary-hex":        {Binary: debezium.BinaryHex},
		"types-unknown":           {}, // include.unknown.datatypes: no column is left out here in any case
	}
}

func compareTypes(t *testing.T) []*comparison {
	t.Helper()
	input, err := golden.ReadInput(goldens, "types")
	if err != nil {
		t.Fatal(err)
	}
	var all []*comparison
	for pass, options := range typesPasses() {
		records := read(t, pass)
		if len(records) != len(input.Rows) {
			t.Fatalf("%s: got %d records of %d rows", pass, len(records), len(input.Rows))
		}
		c := newCaptured(t, pass, pass, &schema.Relation{
			Table: schema.TableName{Schema: "public", Name: "types"}, Identity: schema.IdentityDefault, Columns: input.Columns, Key: []int{0},
		}, options)
		for i, r := range records {
			c.compare(r, &debezium.Image{Op: schema.OpCreate, After: input.Rows[i]})
		}
		all = append(all, c.comparison)
	}
	return all
}

func read(t *testing.T, pass string) []golden.Record {
	t.Helper()
	records, err := golden.Read(goldens, pass)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// captured is a table whose records are compared.
type captured struct {
	*comparison

	rel     *schema.Relation
	table   *debezium.Table
	printer *debezium.JSON
	arena   connect.Arena
	schema  []byte // of the value, the last that was compared
}

func newCaptured(t *testing.T, place, pass string, rel *schema.Relation, options debezium.Options) *captured {
	t.Helper()
	spec := debezium.Spec{Origin: debezium.Origin{Version: "1.0", Name: pass, Database: "postgres"}, Key: rel.Key, Options: options}
	for i := range rel.Columns {
		spec.Columns = append(spec.Columns, i)
	}
	table, err := debezium.Compile(rel, spec)
	if err != nil {
		t.Fatal(err)
	}
	return &captured{comparison: &comparison{t: t, place: place, record: -1}, rel: rel, table: table, printer: table.JSON()}
}

// sameOctets holds what [debezium.JSON] writes against the same by way of values.
func (c *captured) sameOctets(half string, got, want []byte, err error) {
	c.t.Helper()
	if err != nil || !bytes.Equal(got, want) {
		c.t.Errorf("%s, record %d, %s: got %s, %v, want %s", c.place, c.record, half, got, err, want)
	}
}

// compare compares the connector's next record with that of an image; the image of
// a tombstone has no operation.
func (c *captured) compare(r golden.Record, image *debezium.Image) {
	c.t.Helper()
	c.record++
	c.arena.Reset()
	row := image.After
	if row == nil {
		row = image.Before
	}
	key, err := c.table.Key(&c.arena, row)
	if err != nil {
		c.t.Fatal(err)
	}
	ours := connect.AppendJSON(nil, c.table.KeySchema(), key)
	printed, err := c.printer.AppendKey(nil, row)
	c.sameOctets("key", printed, ours, err)
	c.json("key", ours, r.Key)
	if r.KeySchema != nil {
		c.schemas("keySchema", connect.AppendSchema(nil, c.table.KeySchema(), ""), r.KeySchema)
	}
	if image.Op == 0 {
		c.json("value", []byte("null"), r.Value)
		return
	}
	e := &schema.Event{Op: image.Op, Relation: c.rel, Source: commit()}
	value, err := c.table.Value(&c.arena, e, *image, nowMicros)
	if err != nil {
		c.t.Fatal(err)
	}
	ours = connect.AppendJSON(nil, c.table.ValueSchema(), value)
	printed, err = c.printer.AppendValue(nil, e, *image, nowMicros)
	c.sameOctets("value", printed, ours, err)
	c.json("value", ours, r.Value)
	if r.ValueSchema != nil && !bytes.Equal(c.schema, r.ValueSchema) {
		c.schema = r.ValueSchema
		c.schemas("valueSchema", connect.AppendSchema(nil, c.table.ValueSchema(), ""), r.ValueSchema)
	}
}
