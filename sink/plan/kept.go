package plan

import (
	"bytes"
	"fmt"
	"strings"
)

const microsOfDay = 1000 * millisOfDay

// MillisOf is a time, in milliseconds since the Unix epoch.
func MillisOf(millis int64) Value { return TimeOf(millis * 1000) }

// Kept is what a column of a table has of a row, as who reads the column gets it: a
// time at the precision of the column, in a Bucket the number.
func (p *Plan) Kept(c *TableColumn, row Row) Value {
	if c.Form == Bucket {
		return IntOf(int64(p.BucketOf(row)))
	}
	return KeptValue(c.Form, row[c.Slot])
}

// KeptValue is what a column of a form other than Bucket has of a value.
func KeptValue(form Form, v Value) Value {
	if v.kind != Time {
		return v
	}
	switch form {
	case Plain:
		return MillisOf(Millis(v))
	case Day:
		return TimeOf(DayOf(v) * microsOfDay)
	case Micros, OrZero, Joined, Bucket:
	}
	return v
}

// ParseKey reads the key of a hash into a row that has the slots of the key, and NULL
// elsewhere.
func (p *Plan) ParseKey(key []byte) (Row, error) {
	row, rest := p.NewRow(), key
	values := p.Redis.values()
	for i, part := range p.Redis.Key {
		if part.Literal != "" {
			var found bool
			if rest, found = bytes.CutPrefix(rest, []byte(part.Literal)); !found {
				return nil, fmt.Errorf("key %q: want %q at byte %d", key, part.Literal, len(key)-len(rest))
			}
			continue
		}
		end := len(rest)
		if i+1 < len(p.Redis.Key) {
			if end = p.Redis.valueEnd(rest, p.Redis.Key[i+1].Literal, values); end < 0 {
				return nil, fmt.Errorf("key %q: nothing ends column %s", key, p.Slots[part.Slot].Name)
			}
		}
		text := string(rest[:end])
		if values > 1 {
			text = unescaper.Replace(text)
		}
		var err error
		if row[part.Slot], err = ParseText(p.Slots[part.Slot].Type, text); err != nil {
			return nil, fmt.Errorf("key %q: column %s: %w", key, p.Slots[part.Slot].Name, err)
		}
		rest = rest[end:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("key %q: %q is left over", key, rest)
	}
	if !bytes.Equal(p.Redis.AppendKey(nil, row), key) {
		return nil, fmt.Errorf("key %q: no row has it", key)
	}
	return row, nil
}

// values counts the values of a key.
func (h *RedisHash) values() int {
	n := 0
	for _, part := range h.Key {
		if part.Literal == "" {
			n++
		}
	}
	return n
}

// valueEnd is where a value ends that the literal follows, -1 where it does not. Of
// several values none has a colon, and between two of them is one.
func (h *RedisHash) valueEnd(rest []byte, literal string, values int) int {
	if colon := strings.IndexByte(literal, ':'); values > 1 && colon >= 0 {
		at := bytes.IndexByte(rest, ':') - colon
		return max(at, -1)
	}
	return bytes.LastIndex(rest, []byte(literal)) // the literal is the last part
}

var unescaper = strings.NewReplacer("%25", "%", "%3A", ":") //nolint:gochecknoglobals // a table that nobody writes to
