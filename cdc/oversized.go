package cdc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
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
)

// deliver appends a record of the table's own topic, or what its policy makes of one
// that the topic does not take. image is what the value was made of.
func (c *change) deliver(dst []*kgo.Record, r kgo.Record, image debezium.Image) ([]*kgo.Record, error) {
	r.Partition = c.route.topic.partition(r.Key)
	limit := int(c.route.topic.maxBytes)
	if limit == 0 || size(&r) <= limit {
		return append(dst, &r), nil
	}
	switch c.route.table.Oversized {
	case OversizedTruncate:
		return c.truncate(dst, r, image, limit)
	case OversizedDeadLetter:
		return append(dst, c.deadLetter(&r, limit)), nil
	case OversizedStop:
	}
	return dst, c.tooLarge(&r, limit)
}

// size is what a batch with the record alone takes, uncompressed.
func size(r *kgo.Record) int {
	n := batchOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

func (c *change) tooLarge(r *kgo.Record, limit int) error {
	return &fault.Error{
		Kind: fault.Runtime, Where: place(c.event), What: fmt.Sprintf("its record has %d bytes, topic %s takes %d", size(r), r.Topic, limit),
		Fix: "raise max.message.bytes of the topic, and message.max.bytes of the brokers; or set records.oversized to truncate-with-marker or dead-letter",
	}
}

// truncate cuts the longest values, one after the other, until the record fits. What
// is not text has no shorter form: the placeholder of an unknown value stands for it.
func (c *change) truncate(dst []*kgo.Record, r kgo.Record, image debezium.Image, limit int) ([]*kgo.Record, error) {
	lengths := map[string]int{} // in bytes, of what was cut
	hs := r.Headers
	for size(&r) > limit {
		// The value is made again once for many cuts: there may be 1,600 columns. Most
		// records get shorter by at least what is cut; else there is another round.
		saved := 0
		for excess := size(&r) - limit; saved < excess; {
			column := c.longest(image)
			if column < 0 {
				break
			}
			saved += c.cutColumn(image, column, lengths)
		}
		if saved == 0 {
			return dst, c.tooLarge(&r, limit)
		}
		value, err := c.value(image)
		if err != nil {
			return dst, err
		}
		marker, err := json.Marshal(lengths)
		if err != nil {
			return dst, fmt.Errorf("name what was cut: %w", err)
		}
		r.Value = value
		r.Headers = slices.Concat(hs, []kgo.RecordHeader{{Key: record.HeaderTruncated, Value: marker}})
	}
	return append(dst, &r), nil
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
			if v.Kind == schema.Text && len(v.Data) > length && !slices.Contains(c.route.shapedKey, i) {
				column, length = i, len(v.Data)
			}
		}
	}
	return column
}

// cut shortens a value: a text to its beginning, anything else to nothing known.
func (c *change) cut(v *schema.Value, column int) {
	const textOID, bpcharOID, varcharOID = 25, 1042, 1043
	switch c.route.shaped.Columns[column].TypeOID {
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

// deadLetter says of a record that could not be written where it comes from, why,
// and what it held, as far as that fits.
func (c *change) deadLetter(r *kgo.Record, limit int) *kgo.Record {
	e := c.event
	value := jsontext.AppendString([]byte(`{"reason":`), c.tooLarge(r, limit).Error())
	value = jsontext.AppendString(append(value, `,"topic":`...), r.Topic)
	value = strconv.AppendInt(append(value, `,"partition":`...), int64(r.Partition), 10)
	value = jsontext.AppendString(append(value, `,"table":`...), e.Relation.Table.String())
	value = append(append(append(value, `,"op":"`...), byte(e.Op)), `","lsn":"`...)
	value = append(e.Source.CommitLSN.Append(value), `","seq":`...)
	value = strconv.AppendUint(append(strconv.AppendUint(value, e.Source.Seq, 10), `,"xid":`...), uint64(e.Source.XID), 10)
	value = append(value, `,"bytes":{`...)
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
	value = append(value, "}}"...)
	return letterOf(r, c.route.deadLetters, deadletter.Letter{
		Capture: c.origin.Name, Reason: deadletter.Oversized, Error: c.tooLarge(r, limit).Error(), Time: time.UnixMicro(c.now),
	}, value)
}

// letterOf makes a letter of a record that goes to no topic, with a description
// in the place of its value. The caller fills in who, why and when.
func letterOf(r *kgo.Record, to topicRef, l deadletter.Letter, description []byte) *kgo.Record {
	l.Topic, l.Partition, l.Offset, l.Timestamp = r.Topic, r.Partition, -1, -1
	l.Record = deadletter.Record{Key: r.Key, Value: description, LeftOut: len(r.Value)}
	for _, h := range r.Headers {
		l.Record.Headers = append(l.Record.Headers, deadletter.Header(h))
	}
	at, err := record.ParseCoordinates(func(key string) ([]byte, bool) {
		i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == key })
		if i < 0 {
			return nil, false
		}
		return r.Headers[i].Value, true
	})
	if err != nil {
		panic("a record of the capture has no coordinates: " + err.Error())
	}
	l.LSN, l.Seq, l.Version = at.LSN, at.Seq, at.Version
	m := l.Message()
	dead := &kgo.Record{Topic: to.name, Partition: to.partition(m.Key), Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		dead.Headers = append(dead.Headers, kgo.RecordHeader(h))
	}
	return dead
}
