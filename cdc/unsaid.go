package cdc

import (
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/jsontext"
	"penstock/schema/record"
)

// maxOctets is the length from which on text that is no UTF-8 is only named.
const maxOctets = 16 << 10

// unsaid adds headers of what key and value cannot say of the row that they show: a NULL
// that the format has no word for, and text that is no UTF-8. Only a database that does
// not know its encoding has the latter. An old row holds what is of the replica identity.
func (c *change) unsaid(hs []kgo.RecordHeader, row schema.Tuple, old bool) []kgo.RecordHeader {
	rt := c.route
	var nulls, octets []byte
	for _, i := range rt.encoder.Unsaid() {
		if row[i].Kind == schema.Null && (!old || rt.shaped.Columns[i].Identity) {
			nulls = jsontext.AppendString(append(nulls, ','), rt.shaped.Columns[i].Name)
		}
	}
	if c.octets {
		for i, v := range row {
			if v.Kind != schema.Text || utf8.Valid(v.Data) || !slices.Contains(rt.shape.RowColumns(), i) && !slices.Contains(rt.shapedKey, i) {
				continue
			}
			octets = append(jsontext.AppendString(append(octets, ','), rt.shaped.Columns[i].Name), ':')
			if len(v.Data) > maxOctets {
				octets = append(octets, "null"...)
				continue
			}
			octets = append(base64.StdEncoding.AppendEncode(append(octets, '"'), v.Data), '"')
		}
	}
	if nulls != nil {
		nulls[0] = '['
		hs = append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderNulls, Value: append(nulls, ']')})
	}
	if octets != nil {
		octets[0] = '{'
		hs = append(slices.Clip(hs), kgo.RecordHeader{Key: record.HeaderOctets, Value: append(octets, '}')})
	}
	return hs
}
