package record

import (
	"encoding/base64"
	"unicode/utf8"

	"penstock/schema"
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
		return appendFloat(dst, v.Data)
	case oidTimestamptz:
		return appendTimestamptz(dst, v.Data)
	default:
		return appendString(dst, v.Data)
	}
}

// appendFloat copies Postgres' shortest form, which JSON reads, and quotes NaN
// and the infinities, which JSON does not have.
func appendFloat(dst, text []byte) []byte {
	switch string(text) {
	case "NaN", "Infinity", "-Infinity":
		return appendString(dst, text)
	}
	return append(dst, text...)
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

// appendString appends text as a JSON string. Bytes that are not UTF-8, which
// only SQL_ASCII databases hold, become U+FFFD, as encoding/json does.
func appendString[T ~string | ~[]byte](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b >= utf8.RuneSelf {
			size := runeSize(text[i:])
			if size == 0 {
				dst = append(dst, text[start:i]...)
				dst = append(dst, `\ufffd`...)
				i++
				start = i
				continue
			}
			i += size
			continue
		}
		if b >= ' ' && b != '"' && b != '\\' {
			i++
			continue
		}
		dst = append(dst, text[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xF])
		}
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// runeSize returns the length of the valid UTF-8 sequence at the start of text,
// or 0 when there is none.
func runeSize[T ~string | ~[]byte](text T) int {
	r, size := utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)]))
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}
