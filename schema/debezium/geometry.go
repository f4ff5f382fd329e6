package debezium

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

// point maps a point to its coordinates and, once more, to well-known binary.
func (m *mapping) point() codec {
	s := named(connect.Struct, "io.debezium.data.geometry.Point")
	s.Doc = "Geometry (POINT)"
	coordinate := &connect.Schema{Kind: connect.Float64}
	s.Fields = []connect.Field{
		{Name: "x", Schema: coordinate},
		{Name: "y", Schema: coordinate},
		{Name: "wkb", Schema: &connect.Schema{Kind: connect.Bytes, Optional: true}},
		{Name: "srid", Schema: &connect.Schema{Kind: connect.Int32, Optional: true}},
	}
	return codec{
		schema: s,
		absent: pointValue(new(connect.Arena), pgtext.Point{}),
		alone:  true,
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			p, err := pgtext.ParsePoint(text)
			return pointValue(a, p), err
		},
	}
}

func pointValue(a *connect.Arena, p pgtext.Point) connect.Value {
	const littleEndian, point = 1, 1
	wkb := append(a.Buffer(21), littleEndian)
	wkb = binary.LittleEndian.AppendUint32(wkb, point)
	wkb = binary.LittleEndian.AppendUint64(wkb, javaBits(p.X))
	wkb = binary.LittleEndian.AppendUint64(wkb, javaBits(p.Y))
	fields := a.Values(4)
	fields[0], fields[1], fields[2] = connect.Float(p.X), connect.Float(p.Y), connect.Raw(a.Keep(wkb))
	return connect.List(fields)
}

// javaBits are the bits of f. Java has one NaN, Go another.
func javaBits(f float64) uint64 {
	if math.IsNaN(f) {
		return 0x7ff8_0000_0000_0000
	}
	return math.Float64bits(f)
}

// geometry maps PostGIS' geometry; its schema is optional even in a column that
// is NOT NULL, as the connector's.
func (m *mapping) geometry() codec {
	k := m.geography()
	k.schema.Name, k.schema.Doc = "io.debezium.data.geometry.Geometry", "Geometry"
	k.schema.Optional = true
	return k
}

// geography maps PostGIS' geography: extended well-known binary, and the number of
// the coordinate system that it holds, if it does.
func (m *mapping) geography() codec {
	s := named(connect.Struct, "io.debezium.data.geometry.Geography")
	s.Doc = "Geography"
	s.Fields = []connect.Field{
		{Name: "wkb", Schema: &connect.Schema{Kind: connect.Bytes}},
		{Name: "srid", Schema: &connect.Schema{Kind: connect.Int32, Optional: true}},
	}
	empty := []byte{1, 7, 0, 0, 0, 0, 0, 0, 0} // a collection of none
	return codec{
		schema:    s,
		unchanged: connect.List([]connect.Value{connect.Raw(m.placeholder.octets), {}}),
		absent:    connect.List([]connect.Value{connect.Raw(empty), {}}),
		convert:   parseEWKB,
	}
}

func parseEWKB(a *connect.Arena, text []byte) (connect.Value, error) {
	const shortest, flagSRID = 9, 0x20000000
	wkb, err := hex.AppendDecode(a.Buffer(len(text)/2), text)
	if err != nil || len(wkb) < shortest {
		return connect.Value{}, &pgtext.Error{Type: "geometry", Reason: "not the hexadecimal form of well-known binary"}
	}
	wkb = a.Keep(wkb)
	order := binary.ByteOrder(binary.LittleEndian)
	if wkb[0] == 0 {
		order = binary.BigEndian
	}
	fields := a.Values(2)
	fields[0] = connect.Raw(wkb)
	if order.Uint32(wkb[1:])&flagSRID != 0 {
		fields[1] = connect.Int(int64(int32(order.Uint32(wkb[5:]))))
	}
	return connect.List(fields), nil
}
