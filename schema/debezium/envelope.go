package debezium

import (
	"penstock/schema"
	"penstock/schema/connect"
)

// Image is one record's change: what of an event goes into one envelope. An
// update that changed the key makes two.
type Image struct {
	Op     schema.Op
	Before schema.Tuple // nil is null
	After  schema.Tuple // nil is null
}

// envelopeSchema is the schema of a table's values; row is that of its rows.
func envelopeSchema(topic string, row *connect.Schema) *connect.Schema {
	return structOf(topic+".Envelope", 2,
		connect.Field{Name: "before", Schema: row},
		connect.Field{Name: "after", Schema: row},
		connect.Field{Name: "source", Schema: sourceSchema()},
		connect.Field{Name: "transaction", Schema: transactionBlockSchema()},
		field("op", connect.String),
		optional("ts_ms", connect.Int64),
		optional("ts_us", connect.Int64),
		optional("ts_ns", connect.Int64),
	)
}

// Value makes the envelope of one image of the event e, a change of the table.
// nowMicros is the time of processing in microseconds since the Unix epoch. The
// value is valid until the arena is reset and as long as e is.
//
// Before holds what the log holds of the old row. Of a column that it does not
// hold and that takes no NULL Debezium says the column's default, or its type's
// zero: so do we. An error names the table, the column and the reason.
func (t *Table) Value(a *connect.Arena, e *schema.Event, image Image, nowMicros int64) (connect.Value, error) {
	before, err := t.rowValue(a, image.Before)
	if err != nil {
		return connect.Value{}, err
	}
	after, err := t.rowValue(a, image.After)
	if err != nil {
		return connect.Value{}, err
	}
	var transaction connect.Value
	if t.transactions {
		transaction = transactionBlock(a, &e.Source)
	}
	return structValue(a,
		before, after, t.source.value(a, &e.Source, nowMicros), transaction, opValue(a, image.Op),
		connect.Int(millis(nowMicros)), connect.Int(nowMicros), connect.Int(nanos(nowMicros))), nil
}

func opValue(a *connect.Arena, op schema.Op) connect.Value {
	return connect.Text(a.Keep(append(a.Buffer(1), byte(op))))
}
