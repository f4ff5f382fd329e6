package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// DecodeStream reads the image of a stream row, and derives what depends on it
// alone. Columns that the plan does not use are passed over.
//
// Under the replica identity FULL, which the capture demands, the log holds every
// column: the text that stands for a missing value is one that somebody wrote.
func (p *Plan) DecodeStream(image json.RawMessage) (Row, error) {
	row := p.NewRow()
	if err := p.decode(image, 0, p.streams, row[:p.streams], nil); err != nil {
		return nil, err
	}
	return row, p.checkStream(row)
}

// checkStream refuses a row that the stores could not tell from one without a join value.
func (p *Plan) checkStream(row Row) error {
	if !p.none.IsNull() && row[p.Join] == p.none {
		return fmt.Errorf("column %s: the zero uuid is kept for events without content", p.columnName(p.Join))
	}
	return nil
}

// DecodeLookup reads the image of a lookup row.
func (p *Plan) DecodeLookup(image json.RawMessage) (LookupRow, error) {
	values := make([]Value, p.lookups)
	if err := p.decode(image, p.streams, p.streams+p.lookups, values, nil); err != nil {
		return LookupRow{}, err
	}
	return p.lookupOf(values)
}

// DecodeLookupKey reads the join column of the image of a deleted lookup row.
func (p *Plan) DecodeLookupKey(image json.RawMessage) (LookupRow, error) {
	values := make([]Value, p.lookups)
	only := p.lookupJoin
	if err := p.decode(image, p.streams, p.streams+p.lookups, values, &only); err != nil {
		return LookupRow{}, err
	}
	row, err := p.lookupOf(values)
	row.Values = nil
	return row, err
}

func (p *Plan) lookupOf(values []Value) (LookupRow, error) {
	key := values[p.lookupJoin-p.streams]
	if key.IsNull() {
		return LookupRow{}, fmt.Errorf("column %s is null", p.columnName(p.lookupJoin))
	}
	if key == p.none {
		return LookupRow{}, fmt.Errorf("column %s: the zero uuid is kept for events without content", p.columnName(p.lookupJoin))
	}
	return LookupRow{Key: key, Values: values}, nil
}

// decode fills the slots from first to end from an image; only, when set, is the one that counts.
func (p *Plan) decode(image json.RawMessage, first, end int, into []Value, only *int) error {
	var seen uint64
	next := first // columns come in the order of the table, mostly as the plan has them
	err := scanObject(image, func(name, raw []byte) error {
		for range end - first {
			slot := next
			if next++; next == end {
				next = first
			}
			if p.columnName(slot) != string(name) {
				continue
			}
			if only != nil && slot != *only {
				return nil
			}
			v, err := decodeValue(&p.Slots[slot], raw)
			if err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
			into[slot-first] = v
			seen |= 1 << (slot - first)
			return nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	for slot := first; slot < end; slot++ {
		switch {
		case only != nil && slot != *only:
		case seen&(1<<(slot-first)) == 0:
			return fmt.Errorf("column %s is missing", p.columnName(slot))
		case p.Slots[slot].NotNull && into[slot-first].IsNull():
			return fmt.Errorf("column %s is null", p.columnName(slot))
		}
	}
	return nil
}

// columnName is the source's name of a slot's column.
func (p *Plan) columnName(slot int) string {
	_, name, _ := cutSide(p.Slots[slot].Name)
	return name
}

// decodeValue reads a value as the input topic has it.
func decodeValue(slot *Slot, raw []byte) (Value, error) {
	if string(raw) == "null" {
		return Value{}, nil
	}
	switch slot.Type {
	case Int:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return IntOf(n), nil
		}
		var n int64
		err := json.Unmarshal(raw, &n)
		return IntOf(n), err
	case Float:
		if len(raw) > 0 && raw[0] == '"' { // NaN and the infinities have no number in JSON
			return decodeSpecial(raw)
		}
		return decodeFloat(slot.Native, raw)
	case Bool:
		var b bool
		err := json.Unmarshal(raw, &b)
		return BoolOf(b), err
	}
	text, err := decodeString(raw)
	if err != nil {
		return Value{}, err
	}
	switch slot.Type {
	case UUID:
		return UUIDOf(text)
	case Time:
		return decodeTime(slot.Native, text)
	default:
		return TextOf(text), nil
	}
}

func decodeFloat(native Native, raw []byte) (Value, error) {
	if native == Real {
		var f float32
		err := json.Unmarshal(raw, &f)
		return FloatOf(float64(f)), err
	}
	var f float64
	err := json.Unmarshal(raw, &f)
	return FloatOf(f), err
}

func decodeSpecial(raw []byte) (Value, error) {
	text, err := decodeString(raw)
	if err != nil {
		return Value{}, err
	}
	switch text {
	case "NaN":
		return FloatOf(math.NaN()), nil
	case "Infinity":
		return FloatOf(math.Inf(1)), nil
	case "-Infinity":
		return FloatOf(math.Inf(-1)), nil
	}
	return Value{}, fmt.Errorf("%q is no number", text)
}

func decodeTime(native Native, text string) (Value, error) {
	layout := time.RFC3339Nano
	if native == Local {
		layout = time.DateTime // takes a fraction, too
	}
	at, err := time.Parse(layout, text)
	if err != nil {
		return Value{}, noTime(text)
	}
	if at.Unix() > math.MaxInt64/1_000_000 {
		return Value{}, fmt.Errorf("%s is out of range", text)
	}
	return TimeOf(at.UnixMicro()), nil
}

// noTime refuses a text that Postgres has for a time.
func noTime(text string) error {
	return fmt.Errorf("%s is no time that the stores can hold", strconv.Quote(text))
}

// decodeString reads a JSON string.
func decodeString(raw []byte) (string, error) {
	if n := len(raw); n >= 2 && raw[0] == '"' {
		inner := raw[1 : n-1]
		if plain(inner) {
			return string(inner), nil
		}
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// plain reports whether a string stands for itself.
func plain(inner []byte) bool {
	for i, c := range inner {
		if c == '\\' {
			return false
		}
		if c >= utf8.RuneSelf {
			return utf8.Valid(inner[i:]) && !slices.Contains(inner[i:], '\\')
		}
	}
	return true
}

var errNoObject = errors.New("the image is no JSON object")

// scanObject visits the members of a valid JSON object in their order, the name
// decoded, the value as it stands. The bytes are valid during the call only.
func scanObject(data []byte, visit func(name, value []byte) error) error {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return errNoObject
	}
	for i = skipSpace(data, i+1); i < len(data) && data[i] != '}'; {
		end := valueEnd(data, i)
		name := data[i:end]
		if len(name) < 2 || name[0] != '"' {
			return errNoObject
		}
		if plain(name[1 : len(name)-1]) {
			name = name[1 : len(name)-1]
		} else {
			text, err := decodeString(name)
			if err != nil {
				return err
			}
			name = []byte(text)
		}
		i = skipSpace(data, end)
		if i == len(data) || data[i] != ':' {
			return errNoObject
		}
		i = skipSpace(data, i+1)
		end = valueEnd(data, i)
		if end == i {
			return errNoObject
		}
		if err := visit(name, data[i:end]); err != nil {
			return err
		}
		if i = skipSpace(data, end); i < len(data) && data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
	if i >= len(data) {
		return errNoObject
	}
	return nil
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

// valueEnd is the index behind the value that begins at i.
func valueEnd(data []byte, i int) int {
	depth, quoted := 0, false
	for ; i < len(data); i++ {
		c := data[i]
		switch {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				if quoted = false; depth == 0 {
					return i + 1
				}
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return i
		}
	}
	return min(i, len(data))
}
