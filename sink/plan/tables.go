package plan

import (
	"fmt"
	"strings"
	"time"
)

// Table is a table of Cassandra as a plan needs it.
type Table struct {
	Keyspace string // empty is that of the configuration
	Name     string
	Columns  []TableColumn // the key's first, then the others
	// Partition and Clustering count the columns of the key.
	Partition, Clustering int
	Descending            []bool // of each clustering column
	TTL                   time.Duration
	Place                 int // of its rows; -1 when it is no place of stream rows
}

// TableColumn is a column of a table.
type TableColumn struct {
	Name string // unquoted
	Part
	Type Type // of the slot
}

// VersionColumn is the last column of every table: the version as a bigint.
const VersionColumn = "version"

// CQL is the column's type in Cassandra.
func (c TableColumn) CQL() string {
	switch c.Form {
	case Micros:
		return "bigint"
	case Day:
		return "date"
	case Joined:
		return "text"
	case Bucket:
		return "smallint"
	case Plain, OrZero:
	}
	return map[Type]string{Bool: "boolean", Int: "bigint", Float: "double", Text: "text", UUID: "uuid", Time: "timestamp"}[c.Type]
}

// Lossless reports whether the slot can be read back from the column.
func (c TableColumn) Lossless() bool {
	return c.Form == Micros || c.Form == OrZero || c.Form == Plain && c.Type != Time
}

// RedisHash is the hash of a row.
type RedisHash struct {
	Key    []KeyPart
	Place  int
	Fields []Field
}

// KeyPart is a piece of a key: a literal, or a slot's value.
type KeyPart struct {
	Literal string
	Slot    int // counts where Literal is empty
}

// Field is a field of a hash. One whose slot is NULL is absent.
type Field struct {
	Name string
	Slot int
}

// AppendKey appends the key of a row's hash. Of several values each has its colons
// and percent signs escaped, so that two rows never share a key.
func (h *RedisHash) AppendKey(dst []byte, row Row) []byte {
	values := h.values()
	for _, part := range h.Key {
		switch {
		case part.Literal != "":
			dst = append(dst, part.Literal...)
		case values > 1:
			dst = append(dst, escaper.Replace(row[part.Slot].String())...)
		default:
			dst = append(dst, row[part.Slot].String()...)
		}
	}
	return dst
}

var escaper = strings.NewReplacer("%", "%25", ":", "%3A") //nolint:gochecknoglobals // a table that nobody writes to

// parseTemplate reads literals and {columns}; slot finds a column's slot.
func parseTemplate(text string, slot func(name string) (int, *Problem)) ([]KeyPart, *Problem) {
	var parts []KeyPart
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			parts = append(parts, KeyPart{Literal: literal})
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if !closed {
			return nil, &Problem{What: fmt.Sprintf("the placeholder {%s is not closed", name), Fix: "write {column}"}
		}
		at, problem := slot(name)
		if problem != nil {
			return nil, problem
		}
		switch n := len(parts); {
		case n > 0 && parts[n-1].Literal == "":
			return nil, &Problem{What: "two columns stand side by side", Why: "two rows could have one key", Fix: "write a colon between them: {a}:{b}"}
		case n > 1 && !strings.Contains(parts[n-1].Literal, ":"):
			return nil, &Problem{What: "there is no colon between two columns", Why: "two rows could have one key", Fix: "write a colon between them: {a}:{b}"}
		}
		parts = append(parts, KeyPart{Slot: at})
		rest = next
	}
	return parts, nil
}

// Kept lists the slots that can be read back from the table.
func (t *Table) Kept() []int {
	var slots []int
	for _, c := range t.Columns {
		if c.Lossless() {
			slots = append(slots, c.Slot)
		}
	}
	return slots
}

// Kept lists the slots that can be read back from a hash.
func (h *RedisHash) Kept() []int {
	var slots []int
	for _, f := range h.Fields {
		slots = append(slots, f.Slot)
	}
	return slots
}
