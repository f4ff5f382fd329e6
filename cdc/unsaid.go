package cdc

import (
	"encoding/base64"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/jsontext"
	"penstock/schema/record"
)

// maxOctets is how many octets one record's header holds of text that is no UTF-8. What is
// beyond is only named.
const maxOctets = 16 << 10

// unsaid adds headers of what key and value cannot say of the row that they show: a NULL
// that the format has no word for, and text that is no UTF-8. Only a database that does
// not know its encoding has the latter. An old row holds what is of the replica identity.
func (c *change) unsaid(hs []kgo.RecordHeader, row schema.Tuple, old bool) []kgo.RecordHeader {
	rt := c.route
	var nulls []byte
	for _, i := range rt.encoder.Unsaid() {
		if row[i].Kind == schema.Null && (!old || rt.shaped.Columns[i].Identity) {
			nulls = jsontext.AppendString(append(nulls, ','), rt.shaped.Columns[i].Name)
		}
	}
	if nulls != nil {
		nulls[0] = '['
		hs = append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderNulls, Value: append(nulls, ']')})
	}
	if octets := c.octetsOf(row, maxOctets); octets != nil {
		hs = append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderOctets, Value: octets})
	}
	return hs
}

// octetsOf is the header of the columns whose text is no UTF-8, with no more than most octets
// of them; nil without such a column.
func (c *change) octetsOf(row schema.Tuple, most int) (header []byte) {
	if !c.octets {
		return nil
	}
	rt := c.route
	for i, v := range row {
		if v.Kind != schema.Text || utf8.Valid(v.Data) || !slices.Contains(rt.shape.RowColumns(), i) && !slices.Contains(rt.shapedKey, i) {
			continue
		}
		header = append(jsontext.AppendString(append(header, ','), rt.shaped.Columns[i].Name), ':')
		if most -= len(v.Data); most < 0 {
			header = append(header, "null"...)
			continue
		}
		header = append(base64.StdEncoding.AppendEncode(append(header, '"'), v.Data), '"')
	}
	if header == nil {
		return nil
	}
	header[0] = '{'
	return append(header, '}')
}

// withoutOctets leaves the names of the columns whose text is no UTF-8: the record is too
// large already.
func (c *change) withoutOctets(hs []kgo.RecordHeader, image debezium.Image) []kgo.RecordHeader {
	row := image.After
	if row == nil {
		row = image.Before
	}
	at := slices.IndexFunc(hs, func(h kgo.RecordHeader) bool { return h.Key == record.HeaderOctets })
	if at < 0 || row == nil {
		return hs
	}
	hs = slices.Clone(hs)
	hs[at].Value = c.octetsOf(row, 0)
	return hs
}

// checkKey refuses a key that is no UTF-8: with U+FFFD in their place, two rows could
// have one key, and the delete of one would be that of both.
func (c *change) checkKey(row schema.Tuple) error {
	if !c.octets {
		return nil
	}
	for _, i := range c.route.shapedKey {
		if v := row[i]; v.Kind == schema.Text && !utf8.Valid(v.Data) {
			name := c.route.shaped.Columns[i].Name
			return &fault.Error{
				Kind: fault.Refused, Where: place(c.event), What: fmt.Sprintf("column %s of the key is no UTF-8", name),
				Why: "no format can tell such keys apart, and the delete of one row would be that of another",
				Fix: fmt.Sprintf("mask it, which keeps keys apart: records.tables.%s.mask.%s; or name another key", c.event.Relation.Table, name),
			}
		}
	}
	return nil
}
