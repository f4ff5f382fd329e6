package cdc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/schema/debezium"
	"penstock/schema/jsontext"
	"penstock/schema/record"
)

const (
	// batchOverhead is the most that a batch with one record has beside keys, values
	// and headers: 61 bytes of batch, and varints.
	batchOverhead = 128
	// keptText is what is left of a text that is cut, in bytes.
	keptText = 1024
	// keptRow is how much of a row's short values a dead letter holds beside their lengths.
	keptRow = 64 << 10
)

// deliver appends a record of the table's own topic with the value of an image, or what
// its policy makes of one that the topic does not take. A value that cannot fit is not
// made: it may be many times as large as the row.
func (c *change) deliver(dst []*kgo.Record, r kgo.Record, image debezium.Image) ([]*kgo.Record, error) {
	limit := int(c.route.topic.maxBytes)
	least := 0
	if limit > 0 {
		least = c.least(image, limit)
	}
	tooLarge := limit > 0 && size(&r)+least > limit
	if !tooLarge {
		var err error
		if r.Value, err = c.value(image, least); err != nil {
			return dst, err
		}
		if limit == 0 || size(&r) <= limit {
			return append(dst, c.memory.record(r)), nil
		}
		least = len(r.Value)
	}
	switch c.route.table.Oversized {
	case OversizedTruncate:
		return c.truncate(dst, r, image, limit)
	case OversizedDeadLetter:
		letter, err := c.deadLetter(&r, image, limit, least)
		if err != nil {
			return dst, err
		}
		return append(dst, letter), nil
	case OversizedStop:
	}
	return dst, c.tooLarge(&r, limit, least)
}

// size is what a batch with the record alone takes, uncompressed.
func size(r *kgo.Record) int {
	n := batchOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// tooLarge is the fault of a record whose value has, or would have at least, so many bytes.
func (c *change) tooLarge(r *kgo.Record, limit, least int) error {
	has := fmt.Sprintf("its record has %d bytes", size(r))
	if r.Value == nil {
		has = fmt.Sprintf("its record would have %d bytes or more", size(r)+least)
	}
	return &fault.Error{
		Kind: fault.Refused, Where: place(c.event), What: fmt.Sprintf("%s, topic %s takes %d", has, r.Topic, limit),
		Fix: "raise max.message.bytes of the topic, and message.max.bytes of the brokers; or set records.oversized to truncate-with-marker or dead-letter",
	}
}

// truncate cuts the longest values, one after the other, until the record fits. What
// is not text has no shorter form: the placeholder of an unknown value stands for it.
func (c *change) truncate(dst []*kgo.Record, r kgo.Record, image debezium.Image, limit int) ([]*kgo.Record, error) {
	lengths := map[string]int{} // in bytes, of what was cut
	r.Headers = c.withoutOctets(r.Headers, image)
	hs := r.Headers
	for {
		// The value is made once for many cuts, of which there may be 1,600, and not before
		// it may fit. Most records get shorter by at least what is cut; else there is
		// another round.
		excess := size(&r) - limit
		if r.Value == nil {
			excess += c.least(image, limit)
		}
		if excess > 0 && !c.cutBy(image, excess, lengths) {
			return dst, c.tooLarge(&r, limit, excess+limit-size(&r))
		}
		if r.Value == nil && excess > 0 && size(&r)+c.least(image, limit) > limit {
			continue
		}
		if err := c.revalue(&r, image, hs, lengths); err != nil {
			return dst, err
		}
		if size(&r) <= limit {
			return append(dst, c.memory.record(r)), nil
		}
	}
}

// cutBy cuts the longest columns until so many bytes are saved, and reports whether it
// could cut any.
func (c *change) cutBy(image debezium.Image, excess int, lengths map[string]int) bool {
	saved := 0
	for saved < excess {
		column := c.longest(image)
		if column < 0 {
			break
		}
		saved += c.cutColumn(image, column, lengths)
	}
	return saved > 0
}

// revalue makes the value of what was cut, and the header that says so beside hs.
func (c *change) revalue(r *kgo.Record, image debezium.Image, hs []kgo.RecordHeader, lengths map[string]int) error {
	value, err := c.value(image, 0)
	if err != nil {
		return err
	}
	marker, err := json.Marshal(lengths)
	if err != nil {
		return fmt.Errorf("name what was cut: %w", err)
	}
	r.Value = value
	r.Headers = slices.Concat(hs, []kgo.RecordHeader{{Key: record.HeaderTruncated, Value: marker}})
	return nil
}

// cutColumn cuts a column of both rows, notes how long it was, and returns how many
// bytes that saves.
func (c *change) cutColumn(image debezium.Image, column int, lengths map[string]int) (saved int) {
	name := c.route.shaped.Columns[column].Name
	for _, row := range []schema.Tuple{image.Before, image.After} {
		if row == nil || len(row[column].Data) <= keptText {
			continue
		}
		length := len(row[column].Data)
		lengths[name] = max(lengths[name], length)
		c.cut(&row[column], column)
		saved += length - len(row[column].Data)
	}
	return saved
}

// longest is the column with the longest value that can be cut, -1 if there is none.
func (c *change) longest(image debezium.Image) int {
	column, length := -1, keptText
	for _, row := range []schema.Tuple{image.Before, image.After} {
		for i, v := range row {
			if v.Kind == schema.Text && len(v.Data) > length && !slices.Contains(c.route.shapedKey, i) && !slices.Contains(c.route.placedBy, i) {
				column, length = i, len(v.Data)
			}
		}
	}
	return column
}

// cut shortens a value: a text, or one of a domain over it, to its beginning, anything else to
// nothing known.
func (c *change) cut(v *schema.Value, column int) {
	const textOID, bpcharOID, varcharOID = 25, 1042, 1043
	of := &c.route.shaped.Columns[column]
	oid := of.TypeOID
	if of.Type != nil {
		base, _ := of.Type.Base(of.TypeMod)
		oid = base.OID
	}
	switch oid {
	case textOID, bpcharOID, varcharOID:
		end := min(keptText, len(v.Data))
		for end > 0 && end < len(v.Data) && !utf8.RuneStart(v.Data[end]) {
			end--
		}
		v.Data = v.Data[:end]
	default:
		*v = schema.Value{Kind: schema.Unchanged}
	}
}

// deadLetter makes the dead letter of a record that its topic does not take. Its value is
// made only if the topic of dead letters may take it.
func (c *change) deadLetter(r *kgo.Record, image debezium.Image, limit, least int) (*kgo.Record, error) {
	why, leftOut := c.tooLarge(r, limit, least), 0
	if most := int(c.route.letters.topic.maxBytes); r.Value == nil && (most == 0 || least < most) {
		var err error
		if r.Value, err = c.value(image, least); err != nil {
			return nil, err
		}
	} else if r.Value == nil {
		leftOut = least
	}
	return c.route.letters.write(letter{
		event: &c.shaped, topic: r.Topic, partition: r.Partition, key: r.Key, value: r.Value, headers: r.Headers,
		reason: deadletter.Oversized, why: why, nowMicros: c.now, about: c.summary(), leftOut: leftOut,
	})
}

// summary is what a dead letter says of the row when it cannot hold the record: how long
// its values are, and those that are short.
func (c *change) summary() []byte {
	e := c.event
	value := jsontext.AppendString([]byte(`{"table":`), e.Relation.Table.String())
	value = append(append(append(value, `,"op":"`...), byte(e.Op)), `","bytes":{`...)
	row := c.shaped.New
	if row == nil {
		row = c.shaped.Old
	}
	for i, v := range row {
		if i > 0 {
			value = append(value, ',')
		}
		value = append(jsontext.AppendString(value, c.route.shaped.Columns[i].Name), ':')
		value = strconv.AppendInt(value, int64(len(v.Data)), 10)
	}
	value = append(value, `},"text":{`...)
	separator, budget := "", keptRow
	for i, v := range row {
		if budget -= len(v.Data); v.Kind != schema.Text || len(v.Data) > keptText || budget < 0 {
			continue
		}
		value = append(jsontext.AppendString(append(value, separator...), c.route.shaped.Columns[i].Name), ':')
		value, separator = jsontext.AppendString(value, v.Data), ","
	}
	return append(value, "}}"...)
}
