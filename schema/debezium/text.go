package debezium

import (
	"crypto/md5" //nolint:gosec // what UUIDs of version 3 are made of; no secret
	"encoding/hex"
	"strings"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

// text maps what is emitted as Postgres prints it, unread. The name is the
// semantic type's; empty for none.
func (m *mapping) text(name string) codec {
	s := connect.Schema{Kind: connect.String}
	if name != "" {
		s = named(connect.String, name)
	}
	return codec{
		schema:    s,
		unchanged: connect.Text(m.placeholder.text),
		absent:    connect.Text(nil),
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			return connect.Text(text), nil
		},
		appendJSON: func(dst, text []byte) ([]byte, error) { return jsontext.AppendJackson(dst, text), nil },
	}
}

// plainText maps what the connector has no mapping for.
func (m *mapping) plainText() codec {
	k := m.text("")
	k.alone = true
	return k
}

func (m *mapping) enum(t *schema.Type) codec {
	k := m.text("io.debezium.data.Enum")
	k.schema.Parameters = []connect.Parameter{{Key: "allowed", Value: strings.Join(t.Labels, ",")}}
	return k
}

// uuid maps a uuid. One alone is never TOASTed, so the placeholder is for arrays:
// the UUID (version 3) of the placeholder's octets.
func (m *mapping) uuid() codec {
	k := m.text("io.debezium.data.Uuid")
	sum := md5.Sum(m.placeholder.octets) //nolint:gosec // as above
	sum[6] = sum[6]&0x0f | 0x30
	sum[8] = sum[8]&0x3f | 0x80
	var text []byte
	for i, b := range sum {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, []byte{b})
	}
	k.unchanged = connect.Text(text)
	return k
}
