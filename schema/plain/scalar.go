package plain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"penstock/schema/jsontext"
	"penstock/schema/pgtext"
)

// broken is the error of a text that is not one of its type.
func broken(kind, reason string) error { return &pgtext.Error{Type: kind, Reason: reason} }

// integer is a signed integer type.
type integer struct {
	name string
	bits int
}

func (i integer) append(dst, text []byte) ([]byte, error) {
	if _, err := strconv.ParseInt(string(text), 10, i.bits); err != nil || !jsontext.IsNumber(text) {
		return dst, broken(i.name, "not an integer of this size")
	}
	return append(dst, text...), nil
}

func appendOID(dst, text []byte) ([]byte, error) {
	if _, err := strconv.ParseUint(string(text), 10, 32); err != nil || !jsontext.IsNumber(text) {
		return dst, broken("oid", "not an unsigned integer of 32 bits")
	}
	return append(dst, text...), nil
}

func appendFloat(dst, text []byte) ([]byte, error) { return appendNumber(dst, text, "float") }

func appendNumeric(dst, text []byte) ([]byte, error) { return appendNumber(dst, text, "numeric") }

func appendNumber(dst, text []byte, kind string) ([]byte, error) {
	if !jsontext.IsNumber(text) && !jsontext.IsSpecial(text) {
		return dst, broken(kind, "not a number")
	}
	return jsontext.AppendFloat(dst, text), nil
}

func appendBool(dst, text []byte) ([]byte, error) {
	switch string(text) {
	case "t":
		return append(dst, "true"...), nil
	case "f":
		return append(dst, "false"...), nil
	}
	return dst, broken("bool", "neither t nor f")
}

// appendBytea decodes at the end of dst and encodes in the room behind it, since
// base64 cannot be made in place from its front.
func appendBytea(dst, text []byte) ([]byte, error) {
	start := len(dst)
	dst, err := pgtext.AppendBytea(dst, text)
	if err != nil {
		return dst, err
	}
	end := len(dst)
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, dst[start:end])
	dst = append(dst, '"')
	return dst[:start+copy(dst[start:], dst[end:])], nil
}

func appendBits(dst, text []byte) ([]byte, error) {
	for i, b := range text {
		if b != '0' && b != '1' {
			return dst, &pgtext.Error{Type: "bit", Offset: i, Reason: "neither 0 nor 1"}
		}
	}
	return jsontext.AppendString(dst, text), nil
}

// appendJSON checks the text, since it becomes part of ours. Go's own check gives up
// where values nest deeper than 10,000; Postgres takes more, and has checked it.
func appendJSON(dst, text []byte) ([]byte, error) {
	if !json.Valid(text) && levels(text) <= 10_000 {
		return dst, broken("json", "not JSON")
	}
	return appendDocument(dst, text), nil
}

// levels is how deep the brackets of the text nest, or 0 if they do not pair.
func levels(text []byte) int {
	var open []byte // the brackets that are still to come
	deepest := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			open = append(open, c+2) // ']' and '}' in ASCII
			deepest = max(deepest, len(open))
		case ']', '}':
			if len(open) == 0 || open[len(open)-1] != c {
				return 0
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return 0
	}
	return deepest
}

// appendJSONB trusts the text: Postgres makes it from a parsed document.
func appendJSONB(dst, text []byte) ([]byte, error) {
	if len(text) == 0 {
		return dst, broken("jsonb", "no document")
	}
	return appendDocument(dst, text), nil
}

// appendDocument keeps the record UTF-8 also when an SQL_ASCII database does not.
func appendDocument(dst, text []byte) []byte {
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	return append(dst, text...)
}
