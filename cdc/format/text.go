package format

import (
	"errors"
	"slices"

	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/debezium"
	"penstock/schema/record"
)

// textEncoder renders Debezium's envelope with the values as Postgres prints them.
type textEncoder struct {
	table  *Table
	origin record.Origin
	row    *schema.Relation // of the value's columns; nil when it holds all

	attributes *attributes
	described  *debezium.Table // by the attributes

	// The event as its value has it, if that is without some columns.
	event         schema.Event
	before, after schema.Tuple
}

func newTextEncoder(f *Format, t *Table) (*textEncoder, error) {
	e := &textEncoder{table: t, origin: record.Origin(t.Origin)}
	var err error
	if e.attributes, e.described, err = f.describe(t); err != nil {
		return nil, err
	}
	if e.attributes.structured() {
		return nil, errors.New("format text has no structured CloudEvents")
	}
	if slices.Equal(t.Columns, seq(len(t.Relation.Columns))) {
		return e, nil
	}
	row := *t.Relation
	row.Columns = nil
	for _, i := range t.Columns {
		row.Columns = append(row.Columns, t.Relation.Columns[i])
	}
	e.row = &row
	return e, nil
}

// seq is 0 to n-1.
func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Unsaid is empty: the envelope has null.
func (e *textEncoder) Unsaid() []int { return nil }

func (e *textEncoder) AppendKey(dst []byte, row schema.Tuple) ([]byte, error) {
	if len(e.table.Key) == 0 {
		return dst, nil
	}
	return record.AppendKey(dst, e.table.Relation, row, e.table.Key), nil
}

func (e *textEncoder) AppendKeyText(dst []byte, row schema.Tuple) ([]byte, error) {
	return e.AppendKey(dst, row)
}

func (e *textEncoder) AppendValue(dst []byte, event *schema.Event, image debezium.Image, nowMicros int64) ([]byte, error) {
	own := record.Image{Op: image.Op, Before: image.Before, After: image.After}
	if e.row != nil {
		e.event = *event
		e.event.Relation = e.row
		e.before, e.after = e.held(e.before, image.Before), e.held(e.after, image.After)
		event, own.Before, own.After = &e.event, e.before, e.after
	}
	return record.AppendEnvelope(dst, &e.origin, event, own, nowMicros), nil
}

func (e *textEncoder) AppendHeaders(dst []cloudevents.Header, event *schema.Event, of Described) ([]cloudevents.Header, error) {
	return e.attributes.ofTable(dst, e.described, event, of)
}

// held puts what the value holds of a row into dst[:0]; nil for none.
func (e *textEncoder) held(dst, row schema.Tuple) schema.Tuple {
	if row == nil {
		return nil
	}
	dst = dst[:0]
	for _, i := range e.table.Columns {
		dst = append(dst, row[i])
	}
	return dst
}
