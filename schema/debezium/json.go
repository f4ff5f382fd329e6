package debezium

import (
	"fmt"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

// JSON writes the keys and envelopes of a table, octet for octet what [connect.AppendJSON] makes of
// [Table.Key] and [Table.Value], without making these: what a row has in common with the one before it
// is copied. Not safe for concurrent use.
type JSON struct {
	table    *Table
	arena    connect.Arena
	row, key []member
	source   shared[schema.Source]
	times    shared[int64]

	sourceSchema, transactionSchema *connect.Schema
}

// member is a column in an object.
type member struct {
	column int
	name   []byte // with the brace or comma before it and the colon behind
}

// shared is what was written last for a key.
type shared[K comparable] struct {
	of   K
	text []byte // nil: nothing yet
}

// JSON returns a writer of the table's records.
func (t *Table) JSON() *JSON {
	return &JSON{
		table: t, row: t.members(t.captured), key: t.members(t.keyed),
		sourceSchema: sourceSchema(), transactionSchema: transactionBlockSchema(),
	}
}

func (t *Table) members(columns []int) (list []member) {
	before := byte('{')
	for _, i := range columns {
		name := jsontext.AppendJackson([]byte{before}, t.rel.Columns[i].Name)
		list = append(list, member{i, append(name, ':')})
		before = ','
	}
	return list
}

// AppendKey appends the key of a row, null without a key. Errors are those of [Table.Key].
func (j *JSON) AppendKey(dst []byte, tuple schema.Tuple) ([]byte, error) {
	if j.table.key == nil {
		return append(dst, "null"...), nil
	}
	if err := j.table.checkKey(tuple); err != nil {
		return dst, err
	}
	return j.appendObject(dst, j.key, tuple)
}

// AppendValue appends the envelope of an image. Errors are those of [Table.Value].
func (j *JSON) AppendValue(dst []byte, e *schema.Event, image Image, nowMicros int64) ([]byte, error) {
	dst, err := j.appendRow(append(dst, `{"before":`...), image.Before)
	if err != nil {
		return dst, err
	}
	if dst, err = j.appendRow(append(dst, `,"after":`...), image.After); err != nil {
		return dst, err
	}
	dst = j.appendSource(append(dst, `,"source":`...), &e.Source, nowMicros)
	dst = append(dst, `,"transaction":`...)
	if j.table.transactions {
		dst = connect.AppendJSON(dst, j.transactionSchema, transactionBlock(&j.arena, &e.Source))
	} else {
		dst = append(dst, "null"...)
	}
	dst = jsontext.AppendJackson(append(dst, `,"op":`...), []byte{byte(image.Op)})
	return j.appendTimes(dst, nowMicros), nil
}

func (j *JSON) appendRow(dst []byte, tuple schema.Tuple) ([]byte, error) {
	if tuple == nil {
		return append(dst, "null"...), nil
	}
	if err := j.table.checkLength(tuple); err != nil {
		return dst, err
	}
	return j.appendObject(dst, j.row, tuple)
}

// appendObject appends the members' values in a row of the right length.
func (j *JSON) appendObject(dst []byte, members []member, tuple schema.Tuple) (_ []byte, err error) {
	if len(members) == 0 {
		return append(dst, "{}"...), nil
	}
	j.arena.Reset()
	for i := range members {
		m := &members[i]
		dst = append(dst, m.name...)
		c, v := &j.table.columns[m.column], &tuple[m.column]
		if v.Kind == schema.Text && c.appendJSON != nil {
			if dst, err = c.appendJSON(dst, v.Data); err != nil {
				return dst, j.table.inColumn(m.column, err)
			}
			continue
		}
		value, err := j.table.columnValue(&j.arena, m.column, *v)
		if err != nil {
			return dst, err
		}
		dst = connect.AppendJSON(dst, c.schema, value)
	}
	return append(dst, '}'), nil
}

// appendSource appends the source block, which all changes of a transaction, and all rows of a chunk, share.
func (j *JSON) appendSource(dst []byte, s *schema.Source, nowMicros int64) []byte {
	of := *s
	of.Seq, of.TotalSeq, of.TableSeq = 0, 0, 0 // it does not have them
	if of.CommitTime == 0 {
		of.CommitTime = nowMicros
	}
	if j.source.text == nil || j.source.of != of {
		j.arena.Reset()
		block := j.table.source.value(&j.arena, &of, nowMicros)
		j.source.of, j.source.text = of, connect.AppendJSON(j.source.text[:0], j.sourceSchema, block)
	}
	return append(dst, j.source.text...)
}

// appendTimes appends what stands behind the operation.
func (j *JSON) appendTimes(dst []byte, nowMicros int64) []byte {
	if j.times.text == nil || j.times.of != nowMicros {
		j.times.of = nowMicros
		j.times.text = fmt.Appendf(j.times.text[:0], `,"ts_ms":%d,"ts_us":%d,"ts_ns":%d}`, millis(nowMicros), nowMicros, nanos(nowMicros))
	}
	return append(dst, j.times.text...)
}
