package ledger

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Postgres' own md5 is what it is held against
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// unavailable stands for a value that the log left out; the text is Debezium's.
const unavailable = `"__debezium_unavailable_value"`

// envelope is what a record's value says, in Debezium's names.
type envelope struct {
	Op     string          `json:"op"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	Source struct {
		Schema string `json:"schema"`
		Table  string `json:"table"`
		LSN    uint64 `json:"lsn"`
		XID    uint32 `json:"txId"` //nolint:tagliatelle // Debezium's spelling
	} `json:"source"`
}

// row is a row by its sums: 64 bits of the MD5 of its text. Zero is no row, or
// no value.
type row struct {
	sum, big  uint64
	unchanged bool // big is not known: the update did not touch it
	key       uint64
	partition int32
	ver, bal  int64
}

// imager turns JSON images into sums. Not safe for concurrent use.
type imager struct{ text []byte }

// image reads one image of the table's row; nil is none.
func (m *imager) image(t *table, raw json.RawMessage) (row, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return row{}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return row{}, err
	}
	if len(fields) != len(t.columns) {
		return row{}, fmt.Errorf("%d columns, the table has %d", len(fields), len(t.columns))
	}
	var r row
	m.text = append(m.text[:0], '(')
	for i := range t.columns {
		c := &t.columns[i]
		value, found := fields[c.name]
		if !found {
			return row{}, fmt.Errorf("column %s is missing", c.name)
		}
		if i > 0 {
			m.text = append(m.text, ',')
		}
		if c.external {
			if r.unchanged = string(value) == unavailable; r.unchanged {
				continue
			}
		}
		text, null, err := c.text(value)
		switch {
		case err != nil:
			return row{}, fmt.Errorf("column %s: %w", c.name, err)
		case null:
		case c.external:
			r.big = sum(text)
		default:
			m.text = appendField(m.text, text)
			err = r.number(c.name, text)
		}
		if err != nil {
			return row{}, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	r.sum = sum(append(m.text, ')'))
	var err error
	r.key, err = m.sumKey(t, fields)
	return r, err
}

// number keeps the two columns that are counted with.
func (r *row) number(name string, text []byte) (err error) {
	switch name {
	case "ver":
		r.ver, err = strconv.ParseInt(string(text), 10, 64)
	case "bal":
		r.bal, err = strconv.ParseInt(string(text), 10, 64)
	}
	return err
}

// key reads a record's key.
func (m *imager) key(t *table, raw []byte) (uint64, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return 0, fmt.Errorf("key %q: %w", raw, err)
	}
	if len(fields) != len(t.keys) {
		return 0, fmt.Errorf("key %q has %d columns, the table's has %d", raw, len(fields), len(t.keys))
	}
	return m.sumKey(t, fields)
}

func (m *imager) sumKey(t *table, fields map[string]json.RawMessage) (uint64, error) {
	m.text = append(m.text[:0], '(')
	for i, column := range t.keys {
		if i > 0 {
			m.text = append(m.text, ',')
		}
		c := &t.columns[column]
		value, found := fields[c.name]
		text, null, err := c.text(value)
		if !found || null || err != nil {
			return 0, fmt.Errorf("key column %s is %.50q: %w", c.name, value, err)
		}
		m.text = appendField(m.text, text)
	}
	return sum(append(m.text, ')')), nil
}

// text turns a JSON value back into the text that Postgres prints, digit by
// digit.
func (c *column) text(raw json.RawMessage) (text []byte, null bool, err error) {
	if len(raw) == 0 {
		return nil, false, fmt.Errorf("no value")
	}
	if string(raw) == "null" {
		return nil, true, nil
	}
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, false, err
		}
		text = []byte(s)
	}
	switch c.oid {
	case oidInt2, oidInt4, oidInt8:
		if text != nil {
			return nil, false, fmt.Errorf("%.50s is a string", raw)
		}
		return raw, false, nil
	case oidFloat4, oidFloat8:
		if text == nil {
			text = raw
		}
		return text, false, nil
	case oidBool:
		if string(raw) != "true" && string(raw) != "false" {
			return nil, false, fmt.Errorf("%.50s is not a boolean", raw)
		}
		return raw[:1], false, nil
	}
	if text == nil {
		return nil, false, fmt.Errorf("%.50s is not a string", raw)
	}
	if c.oid == oidTimestamptz && len(text) > 10 && text[10] == 'T' {
		zone, utc := bytes.CutSuffix(text, []byte("Z"))
		if !utc {
			return nil, false, fmt.Errorf("%.50s is not in UTC", raw)
		}
		text = slices.Concat(zone, []byte("+00"))
		text[10] = ' '
	}
	return text, false, nil
}

// appendField appends a value as the text of a composite type has it: in quotes
// when it is empty or has a character that means something there.
func appendField(dst, value []byte) []byte {
	if len(value) > 0 && !bytes.ContainsAny(value, "\"\\(), \t\n\v\f\r") {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for _, b := range value {
		if b == '"' || b == '\\' {
			dst = append(dst, b)
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

// sum is the first half of an MD5.
func sum(text []byte) uint64 {
	digest := md5.Sum(text) //nolint:gosec // as above
	return binary.BigEndian.Uint64(digest[:])
}
