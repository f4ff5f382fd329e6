package cdc

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/cloudevents"
	"penstock/schema/debezium"
	"penstock/schema/jsontext"
	"penstock/schema/record"
)

// change is one event on its way to its topics.
type change struct {
	route   *route
	origin  record.Origin
	event   *schema.Event
	shaped  schema.Event // what the table's own topic sees of it
	now     int64
	headers []kgo.RecordHeader
	memory  *slab  // of the records
	octets  bool   // text may be no UTF-8
	whole   []byte // the envelope for input topics with the event's own images
}

// shape fits the event to what leaves the database.
func (c *change) shape() {
	c.route.shape.Reset()
	c.shaped = *c.event
	c.shaped.Relation = c.route.shaped
	c.shaped.Old = c.route.tuple(&c.route.before, c.event.Old)
	c.shaped.New = c.route.tuple(&c.route.after, c.event.New)
}

// toTable appends the records of the table's own topic. A delete is followed by
// a tombstone; an update that changes the key, or what chooses the partition, is a delete,
// a tombstone and a create, as Debezium has it for the key; a truncate goes to every partition.
func (c *change) toTable(dst []*kgo.Record) ([]*kgo.Record, error) {
	e, rt := &c.shaped, c.route
	if (e.Op == schema.OpUpdate || e.Op == schema.OpDelete) && !rt.keyLogged {
		return dst, unheld(c.event)
	}
	switch {
	case e.Op == schema.OpTruncate:
		value, err := c.value(debezium.Image{Op: e.Op}, 0)
		if err != nil {
			return dst, err
		}
		hs, err := c.eventHeaders(c.withOp(c.headers, e.Op), e.Op, value != nil)
		return everywhere(dst, rt.topic, value, hs), err
	case e.Op == schema.OpDelete && e.Old == nil:
		return dst, fmt.Errorf("delete without an old row")
	case e.Op == schema.OpDelete:
		return c.leave(dst, c.headers)
	case e.Op == schema.OpUpdate && e.Old != nil && moved(e, rt.shapedKey):
		return c.move(dst)
	case e.Op == schema.OpUpdate && e.Old != nil && moved(e, rt.placedBy):
		return c.relocate(dst)
	}
	return c.arrive(dst, c.headers, debezium.Image{Op: e.Op, Before: e.Old, After: e.New})
}

// move makes an update that changed the key leave its old place and arrive at the new.
func (c *change) move(dst []*kgo.Record) ([]*kgo.Record, error) {
	e := &c.shaped
	before, err := c.route.encoder.AppendKeyText(nil, e.Old)
	if err != nil {
		return dst, err
	}
	after, err := c.route.encoder.AppendKeyText(nil, e.New)
	if err != nil {
		return dst, err
	}
	e.Version--
	leaving := append(c.memory.headersOf(e, e.Version), kgo.RecordHeader{Key: record.HeaderNewKey, Value: after})
	if dst, err = c.leave(dst, leaving); err != nil {
		return dst, err
	}
	e.Version++
	e.Source.TotalSeq++
	e.Source.TableSeq++
	arriving := append(c.memory.headersOf(e, e.Version), kgo.RecordHeader{Key: record.HeaderOldKey, Value: before})
	return c.arrive(dst, arriving, debezium.Image{Op: schema.OpCreate, After: e.New})
}

// relocate makes an update that changed what chooses the partition leave the old one and
// arrive in the new, with the same key.
func (c *change) relocate(dst []*kgo.Record) ([]*kgo.Record, error) {
	e := &c.shaped
	e.Version--
	dst, err := c.leave(dst, c.memory.headersOf(e, e.Version))
	if err != nil {
		return dst, err
	}
	e.Version++
	e.Source.TotalSeq++
	e.Source.TableSeq++
	return c.arrive(dst, c.headers, debezium.Image{Op: schema.OpCreate, After: e.New})
}

// leave appends the delete of the old row, and its tombstone if it has a key. In a format
// without an envelope the tombstone is the delete.
func (c *change) leave(dst []*kgo.Record, hs []kgo.RecordHeader) ([]*kgo.Record, error) {
	key, err := c.key(c.shaped.Old)
	if err != nil {
		return dst, err
	}
	hasValue := c.hasValue(schema.OpDelete)
	if key == nil && !hasValue {
		return dst, unkeyed(c.event)
	}
	hs = c.withOp(c.unsaid(hs, c.shaped.Old, true), schema.OpDelete)
	events, err := c.eventHeaders(hs, schema.OpDelete, hasValue)
	if err != nil {
		return dst, err
	}
	at := c.route.partition(key, c.shaped.Old)
	tombstone := c.memory.record(kgo.Record{Topic: c.route.topic.name, Partition: at, Key: key, Headers: hs})
	if !hasValue {
		tombstone.Headers = events
		return append(dst, tombstone), nil
	}
	r := kgo.Record{Topic: c.route.topic.name, Partition: at, Key: key, Headers: events}
	if dst, err = c.deliver(dst, r, debezium.Image{Op: schema.OpDelete, Before: c.shaped.Old}); err != nil {
		return dst, err
	}
	if key == nil || c.route.table.NoTombstones {
		return dst, nil
	}
	return append(dst, tombstone), nil
}

func (c *change) arrive(dst []*kgo.Record, hs []kgo.RecordHeader, image debezium.Image) ([]*kgo.Record, error) {
	key, err := c.key(c.shaped.New)
	if err != nil {
		return dst, err
	}
	if hs, err = c.eventHeaders(c.withOp(c.about(c.unsaid(hs, c.shaped.New, false)), image.Op), image.Op, true); err != nil {
		return dst, err
	}
	at := c.route.partition(key, c.shaped.New)
	return c.deliver(dst, kgo.Record{Topic: c.route.topic.name, Partition: at, Key: key, Headers: hs}, image)
}

// about adds what the value does not say of the row.
func (c *change) about(hs []kgo.RecordHeader) []kgo.RecordHeader {
	var names []byte
	for i, v := range c.shaped.New {
		if v.Kind == schema.Unchanged {
			names = jsontext.AppendString(append(names, ','), c.route.shaped.Columns[i].Name)
		}
	}
	if names != nil {
		names[0] = '['
		hs = append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderUnchanged, Value: append(names, ']')})
	}
	return hs
}

// withOp adds the operation where no value says it.
func (c *change) withOp(hs []kgo.RecordHeader, op schema.Op) []kgo.RecordHeader {
	if c.route.table.Format.Kind != format.JSON {
		return hs
	}
	return append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderOp, Value: []byte{byte(op)}})
}

// eventHeaders adds the attributes of a CloudEvent, where the records are some. A
// tombstone that follows a delete is none: the delete is the event.
func (c *change) eventHeaders(hs []kgo.RecordHeader, op schema.Op, hasValue bool) ([]kgo.RecordHeader, error) {
	if c.route.table.Format.Events == format.NoEvents {
		return hs, nil
	}
	events, err := c.route.encoder.AppendHeaders(nil, &c.shaped, format.Described{Op: op, HasValue: hasValue, NowMicros: c.now})
	return withEvents(hs, events), err
}

// withEvents adds the headers of a CloudEvent to those of a record, which others share.
func withEvents(hs []kgo.RecordHeader, events []cloudevents.Header) []kgo.RecordHeader {
	hs = slices.Grow(slices.Clip(hs), len(events))
	for _, h := range events {
		hs = append(hs, kgo.RecordHeader(h))
	}
	return hs
}

// What keys, and envelopes of input topics, usually take at most, in bytes.
const usualKey, usualEnvelope = 256, 4 << 10

// key is nil for a table without one.
func (c *change) key(row schema.Tuple) ([]byte, error) {
	if err := c.checkKey(row); err != nil {
		return nil, err
	}
	key, err := c.route.encoder.AppendKey(c.memory.buffer(usualKey), row)
	return c.memory.keep(key), err
}

// value is nil when the format has none. It gets as much room as least says that it
// takes, or as the last one took, so that it does not grow step by step.
func (c *change) value(image debezium.Image, least int) ([]byte, error) {
	const large, spare = 64 << 10, 64 // bytes
	room := max(c.route.usual+spare, least+least/8)
	if !c.hasValue(image.Op) {
		room = 0
	}
	value, err := c.route.encoder.AppendValue(c.memory.buffer(room), &c.shaped, image, c.now)
	if len(value) < large {
		c.route.usual = len(value)
	}
	return c.memory.keep(value), err
}

// hasValue reports whether the format has a value for an operation.
func (c *change) hasValue(op schema.Op) bool {
	return c.route.table.Format.Kind != format.JSON || op != schema.OpDelete && op != schema.OpTruncate
}

// toJoin appends the records of a pipeline's input topic, keyed by the join
// column's text, so that one partition holds a lookup row and all rows that join
// it. A row that gets another key or another join key leaves its old place, one
// version earlier.
func (c *change) toJoin(dst []*kgo.Record, j *join) ([]*kgo.Record, error) {
	e := c.event
	if err := c.fits(j); err != nil {
		return dst, err
	}
	switch e.Op {
	case schema.OpTruncate:
		return everywhere(dst, j.topic, c.wholeEnvelope(), c.headers), nil
	case schema.OpDelete:
		return c.append(dst, j.topic, joinKey(e.Old[j.index]), c.headers, c.wholeEnvelope()), nil
	}
	key := joinKey(e.New[j.index])
	stays := e.Op != schema.OpUpdate || e.Old == nil || !(moved(e, c.route.key) || moved(e, []int{j.index}))
	if stays {
		return c.append(dst, j.topic, key, c.headers, c.wholeEnvelope()), nil
	}
	leave := c.envelope(record.Image{Op: schema.OpDelete, Before: e.Old})
	arrive := c.envelope(record.Image{Op: schema.OpCreate, After: e.New})
	dst = c.append(dst, j.topic, joinKey(e.Old[j.index]), c.memory.headersOf(e, e.Version-1), leave)
	return c.append(dst, j.topic, key, c.headers, arrive), nil
}

func (c *change) envelope(image record.Image) []byte {
	return c.memory.keep(record.AppendEnvelope(c.memory.buffer(usualEnvelope), &c.origin, c.event, image, c.now))
}

func (c *change) wholeEnvelope() []byte {
	if c.whole == nil {
		c.whole = c.envelope(record.Image{Op: c.event.Op, Before: c.event.Old, After: c.event.New})
	}
	return c.whole
}

func (c *change) append(dst []*kgo.Record, t topicRef, key []byte, hs []kgo.RecordHeader, value []byte) []*kgo.Record {
	return append(dst, c.memory.record(kgo.Record{Topic: t.name, Partition: t.partition(key), Key: key, Value: value, Headers: hs}))
}

// joinKey copies the join column's text. A row without a join key has the empty
// key, which places all of them in one partition, in order.
func joinKey(v schema.Value) []byte { return append([]byte{}, v.Data...) }

// moved reports whether an update changed one of the columns.
func moved(e *schema.Event, columns []int) bool {
	for _, c := range columns {
		before, after := e.Old[c], e.New[c]
		if after.Kind == schema.Unchanged {
			continue
		}
		if before.Kind != after.Kind || !bytes.Equal(before.Data, after.Data) {
			return true
		}
	}
	return false
}

func everywhere(dst []*kgo.Record, t topicRef, value []byte, hs []kgo.RecordHeader) []*kgo.Record {
	for p := range t.partitions {
		dst = append(dst, &kgo.Record{Topic: t.name, Partition: p, Value: value, Headers: hs})
	}
	return dst
}
