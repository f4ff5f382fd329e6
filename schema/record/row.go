package record

import (
	"bytes"
	"encoding/json"
	"fmt"

	"penstock/schema"
)

// ParseRow reads a row image that [AppendEnvelope] or [AppendKey] wrote, as a tuple of rel. Columns
// that the image lacks are Null, and those that rel lacks are left out. A value that the log did
// not hold is its placeholder.
func ParseRow(rel *schema.Relation, image []byte) (schema.Tuple, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(image, &fields); err != nil {
		return nil, fmt.Errorf("row of %s: %w", rel.Table, err)
	}
	row := make(schema.Tuple, len(rel.Columns))
	for i := range rel.Columns {
		c := &rel.Columns[i]
		value, err := parseValue(c.TypeOID, fields[c.Name])
		if err != nil {
			return nil, fmt.Errorf("column %s of %s: %w", c.Name, rel.Table, err)
		}
		row[i] = value
	}
	return row, nil
}

// parseValue is appendValue the other way round.
func parseValue(typeOID uint32, raw json.RawMessage) (schema.Value, error) {
	text := func(data []byte) (schema.Value, error) { return schema.Value{Kind: schema.Text, Data: data}, nil }
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return schema.Value{}, nil
	case string(raw) == "true":
		return text([]byte("t"))
	case string(raw) == "false":
		return text([]byte("f"))
	case raw[0] != '"':
		return text(raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return schema.Value{}, err
	}
	if typeOID == oidTimestamptz {
		return text(parseTimestamptz([]byte(s)))
	}
	return text([]byte(s))
}

// parseTimestamptz is appendTimestamptz the other way round.
func parseTimestamptz(text []byte) []byte {
	const date = len("2025-08-25")
	instant, utc := bytes.CutSuffix(text, []byte("Z"))
	if !utc || len(instant) <= date || instant[date] != 'T' {
		return text
	}
	instant[date] = ' '
	return append(instant, "+00"...)
}
