package debezium

import (
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

func (m *mapping) bool() codec {
	return codec{
		schema: connect.Schema{Kind: connect.Boolean},
		absent: connect.Bool(false),
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			switch string(text) {
			case "t":
				return connect.Bool(true), nil
			case "f":
				return connect.Bool(false), nil
			}
			return connect.Value{}, &pgtext.Error{Type: "bool", Reason: "neither t nor f"}
		},
	}
}

// integer maps int2, int4 and int8, and oid, which is unsigned, to int64.
func (m *mapping) integer(oid uint32) codec {
	name, kind, bits := "int8", connect.Int64, 64
	switch oid {
	case oidInt2:
		name, kind, bits = "int2", connect.Int16, 16
	case oidInt4:
		name, kind, bits = "int4", connect.Int32, 32
	case oidOID:
		name = "oid"
	}
	return number(connect.Schema{Kind: kind}, func(text []byte) (int64, error) {
		i, err := strconv.ParseInt(string(text), 10, bits)
		if err != nil || oid == oidOID && i != int64(uint32(i)) {
			return 0, &pgtext.Error{Type: name, Reason: "not an integer of its size"}
		}
		return i, nil
	})
}

func (m *mapping) float(oid uint32) codec {
	name, kind, bits := "float8", connect.Float64, 64
	if oid == oidFloat4 {
		name, kind, bits = "float4", connect.Float32, 32
	}
	return codec{
		schema: connect.Schema{Kind: kind},
		absent: connect.Float(0),
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			f, err := parseFloat(name, text, bits)
			return connect.Float(f), err
		},
	}
}

// parseFloat reads a float as Postgres prints it: decimal, NaN, Infinity or
// -Infinity.
func parseFloat(name string, text []byte, bits int) (float64, error) {
	for i, b := range text { // strconv also reads hexadecimal ones
		if (b < '0' || b > '9') && b != '.' && b != '-' && b != '+' && b != 'e' && b != 'E' {
			switch string(text) {
			case "NaN", "Infinity", "-Infinity":
			default:
				return 0, &pgtext.Error{Type: name, Offset: i, Reason: "not a decimal number"}
			}
		}
	}
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, &pgtext.Error{Type: name, Reason: "not a number in its range"}
	}
	return f, nil
}
