package debezium

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

func (m *mapping) bytea() codec {
	if m.Binary == BinaryBytes {
		return codec{
			schema:    connect.Schema{Kind: connect.Bytes},
			unchanged: connect.Raw(m.placeholder.octets),
			absent:    connect.Raw(nil),
			convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
				octets, err := parseBytea(a, text)
				return connect.Raw(octets), err
			},
		}
	}
	return m.text("").by(func(a *connect.Arena, text []byte) (connect.Value, error) {
		octets, err := parseBytea(a, text)
		if err != nil {
			return connect.Value{}, err
		}
		return connect.Text(a.Keep(m.appendBinary(a.Buffer(2*len(octets)+4), octets))), nil
	})
}

func parseBytea(a *connect.Arena, text []byte) ([]byte, error) {
	octets, err := pgtext.AppendBytea(a.Buffer(len(text)), text)
	return a.Keep(octets), err
}

// appendBinary appends octets as the mode's text.
func (m *mapping) appendBinary(dst, octets []byte) []byte {
	switch m.Binary {
	case BinaryBase64:
		return base64.StdEncoding.AppendEncode(dst, octets)
	case BinaryBase64URLSafe:
		return base64.URLEncoding.AppendEncode(dst, octets)
	case BinaryHex:
		return hex.AppendEncode(dst, octets)
	case BinaryBytes:
	}
	return append(dst, octets...)
}

// bits maps bit(n) and varbit(n): one bit is a boolean, more are octets, the
// lowest first, without those above the highest 1.
func (m *mapping) bits(mod int32) codec {
	if mod == 1 {
		return m.bit()
	}
	length := int64(mod)
	if mod < 0 { // as long as the value is
		length = math.MaxInt32
	}
	s := named(connect.Bytes, "io.debezium.data.Bits")
	s.Parameters = []connect.Parameter{{Key: "length", Value: strconv.FormatInt(length, 10)}}
	return codec{
		schema:    s,
		unchanged: connect.Raw(m.placeholder.octets),
		absent:    connect.Raw(nil),
		alone:     true,
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			octets, err := pgtext.AppendBits(a.Buffer(len(text)/8+1), text)
			return connect.Raw(a.Keep(octets)), err
		},
	}
}

func (m *mapping) bit() codec {
	return codec{
		schema: connect.Schema{Kind: connect.Boolean},
		absent: connect.Bool(false),
		alone:  true,
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			switch string(text) {
			case "0":
				return connect.Bool(false), nil
			case "1":
				return connect.Bool(true), nil
			case "": // a varbit(1) may be empty
				return connect.Value{}, nil
			}
			return connect.Value{}, &pgtext.Error{Type: "bit", Reason: "neither 0 nor 1"}
		},
	}
}
