package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// SourceColumns are the names of the columns of a side that the plan uses, in the
// order of its slots.
func (p *Plan) SourceColumns() (stream, lookup []string) {
	names := make([]string, p.streams+p.lookups)
	for slot := range names {
		names[slot] = p.columnName(slot)
	}
	return names[:p.streams], names[p.streams:]
}

// ReadStream makes a row of the texts of a stream row's columns, as Postgres prints
// them in a session in UTC; nil is NULL. What a record of that row would be refused for
// is an error here.
func (p *Plan) ReadStream(texts [][]byte) (Row, error) {
	row := p.NewRow()
	if err := p.read(texts, 0, row[:p.streams]); err != nil {
		return nil, err
	}
	return row, p.checkStream(row)
}

// ReadLookup makes a lookup row of the texts of its columns, as ReadStream does.
func (p *Plan) ReadLookup(texts [][]byte) (LookupRow, error) {
	values := make([]Value, p.lookups)
	if err := p.read(texts, p.streams, values); err != nil {
		return LookupRow{}, err
	}
	row, err := p.lookupOf(values)
	row.Exists = err == nil
	return row, err
}

func (p *Plan) read(texts [][]byte, first int, into []Value) error {
	for i := range into {
		slot := first + i
		switch v, err := readValue(&p.Slots[slot], texts[i]); {
		case err != nil:
			return fmt.Errorf("column %s: %w", p.columnName(slot), err)
		case v.IsNull() && p.Slots[slot].NotNull:
			return fmt.Errorf("column %s is null", p.columnName(slot))
		default:
			into[i] = v
		}
	}
	return nil
}

// readValue reads a value as Postgres prints it.
func readValue(slot *Slot, text []byte) (Value, error) {
	if text == nil {
		return Value{}, nil
	}
	switch slot.Type {
	case Bool:
		switch string(text) {
		case "t":
			return BoolOf(true), nil
		case "f":
			return BoolOf(false), nil
		}
		return Value{}, fmt.Errorf("%q is no boolean", text)
	case Int:
		n, err := strconv.ParseInt(string(text), 10, 64)
		return IntOf(n), err
	case Float:
		if string(text) == "NaN" {
			return FloatOf(math.NaN()), nil // of which there are many
		}
		bits := 64
		if slot.Native == Real {
			bits = 32
		}
		f, err := strconv.ParseFloat(string(text), bits)
		return FloatOf(f), err
	case UUID:
		return UUIDOf(string(text))
	case Time:
		layout := "2006-01-02 15:04:05-07" // also takes a fraction
		if slot.Native == Local {
			layout = time.DateTime
		}
		at, err := time.Parse(layout, string(text))
		if err != nil {
			err = noTime(string(text))
		} else if at.Unix() > math.MaxInt64/1_000_000 {
			err = fmt.Errorf("%s is out of range", text)
		}
		return TimeOf(at.UnixMicro()), err
	default:
		return TextOf(string(text)), nil
	}
}

// AppendValue appends a value as [Plan.AppendRowKey] has those of a key.
func AppendValue(dst []byte, v Value) []byte {
	return (&Plan{}).appendPart(dst, Part{Form: Micros}, Row{v})
}

var errNoValues = errors.New("not a key of values")

// ParseValues reads what [AppendValue] or [Plan.AppendRowKey] appended.
func ParseValues(key []byte) ([]Value, error) {
	var values []Value
	for len(key) > 0 {
		v := Value{kind: Type(key[0])}
		key = key[1:]
		switch v.kind {
		case 0:
		case Text, UUID:
			length, n := binary.Uvarint(key)
			if n <= 0 || length > uint64(len(key)-n) {
				return nil, errNoValues
			}
			v.text, key = string(key[n:n+int(length)]), key[n+int(length):]
		case Bool, Int, Float, Time:
			number, n := binary.Varint(key)
			if n <= 0 {
				return nil, errNoValues
			}
			v.num, key = number, key[n:]
		default:
			return nil, errNoValues
		}
		values = append(values, v)
	}
	return values, nil
}
