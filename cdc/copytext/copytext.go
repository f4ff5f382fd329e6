// Package copytext reads the rows of COPY ... TO STDOUT in the text format, with its default
// delimiter and NULL; see "Text Format" under COPY in Postgres' documentation. The texts are those that
// pgoutput sends of the same values under the same settings, so a row that is copied becomes the tuple that a row that is streamed does.
package copytext

import (
	"bytes"
	"fmt"

	"penstock/schema"
)

// Reader takes rows apart. The zero Reader is ready. Not safe for concurrent use.
type Reader struct {
	tuple schema.Tuple
	bytes []byte // of values that were escaped
}

// Row reads one row, with or without the newline at its end, of a table with so many
// columns. The tuple is valid until the next call, and as long as line is. No input
// panics, and none makes it use more memory than twice the line's. An error says at which byte.
func (r *Reader) Row(line []byte, columns int) (schema.Tuple, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	r.tuple, r.bytes = r.tuple[:0], r.bytes[:0]
	if columns == 0 {
		if len(line) > 0 {
			return nil, broken(0, "a value in a row without columns")
		}
		return r.tuple, nil
	}
	if cap(r.bytes) < len(line) {
		r.bytes = make([]byte, 0, len(line)) // what is unescaped is shorter: values keep their place
	}
	for at := 0; ; {
		end := bytes.IndexByte(line[at:], '\t')
		field := line[at:]
		if end >= 0 {
			field = field[:end]
		}
		if len(r.tuple) == columns {
			return nil, broken(at, fmt.Sprintf("more than %d columns", columns))
		}
		value, err := r.value(field, at)
		if err != nil {
			return nil, err
		}
		r.tuple = append(r.tuple, value)
		if end < 0 {
			break
		}
		at += end + 1
	}
	if len(r.tuple) != columns {
		return nil, broken(len(line), fmt.Sprintf("%d columns, the table has %d", len(r.tuple), columns))
	}
	return r.tuple, nil
}

// value reads one field that begins at byte at of the row.
func (r *Reader) value(field []byte, at int) (schema.Value, error) {
	if string(field) == `\N` {
		return schema.Value{Kind: schema.Null}, nil
	}
	next := bytes.IndexByte(field, '\\')
	if next < 0 {
		return schema.Value{Kind: schema.Text, Data: field}, nil
	}
	start := len(r.bytes)
	r.bytes = append(r.bytes, field[:next]...)
	for i := next; i < len(field); i++ {
		c := field[i]
		if c == '\\' {
			if i++; i == len(field) {
				return schema.Value{}, broken(at+i-1, "a backslash at the end of a value")
			}
			var known bool
			if c, known = unescaped(field[i]); !known {
				return schema.Value{}, broken(at+i-1, fmt.Sprintf("unknown escape \\%c", field[i]))
			}
		}
		r.bytes = append(r.bytes, c)
	}
	return schema.Value{Kind: schema.Text, Data: r.bytes[start:len(r.bytes):len(r.bytes)]}, nil
}

// unescaped is what the byte after a backslash stands for. COPY TO writes no other
// escapes than these (CopyAttributeOutText in copyto.c).
func unescaped(c byte) (byte, bool) {
	switch c {
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'v':
		return '\v', true
	case '\\':
		return '\\', true
	}
	return 0, false
}

func broken(at int, reason string) error { return fmt.Errorf("row of COPY, byte %d: %s", at, reason) }
