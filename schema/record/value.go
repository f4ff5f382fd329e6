package record

import (
	"encoding/base64"

	"penstock/schema"
	"penstock/schema/jsontext"
)

// UnavailableValue stands for a column whose value the log does not hold: TOASTed
// and not touched by the update. The text is Debezium's.
const UnavailableValue = "__debezium_unavailable_value"

// The type OIDs with a form of their own; catalogue pg_type.dat. Every other
// type is its text.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidOID         = 26
	oidFloat4      = 700
	oidFloat8      = 701
	oidTimestamptz = 1184
)

// appendValue appends one column as JSON.
func appendValue(dst []byte, typeOID uint32, v schema.Value) []byte {
	switch v.Kind {
	case schema.Null:
		return append(dst, "null"...)
	case schema.Unchanged:
		return appendString(dst, UnavailableValue)
	case schema.Binary:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Data)
		return append(dst, '"')
	case schema.Text:
	}
	switch typeOID {
	case oidInt2, oidInt4, oidInt8, oidOID:
		return append(dst, v.Data...)
	case oidBool:
		if string(v.Data) == "t" {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case oidFloat4, oidFloat8:
		return jsontext.AppendFloat(dst, v.Data)
	case oidTimestamptz:
		return appendTimestamptz(dst, v.Data)
	default:
		return appendString(dst, v.Data)
	}
}

// appendTimestamptz turns the ISO form of a session in UTC,
// 2025-08-25 16:13:40.436907+00, into 2025-08-25T16:13:40.436907Z. What has
// another form (infinity, BC) stays as Postgres prints it.
func appendTimestamptz(dst, text []byte) []byte {
	const date, zone = len("2025-08-25"), "+00"
	end := len(text) - len(zone)
	if end <= date || text[date] != ' ' || string(text[end:]) != zone {
		return appendString(dst, text)
	}
	dst = append(dst, '"')
	dst = append(dst, text[:date]...)
	dst = append(dst, 'T')
	dst = append(dst, text[date+1:end]...)
	return append(dst, 'Z', '"')
}

func appendString[T ~string | ~[]byte](dst []byte, text T) []byte {
	return jsontext.AppendString(dst, text)
}
