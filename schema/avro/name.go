package avro

import (
	"fmt"
	"strings"
)

// adjust returns name with what Avro does not take replaced. Debezium counts
// UTF-16 units, so that what lies beyond them becomes two underscores. A leading
// digit is kept behind its underscore, or a1 and b1 from 1 could become one.
func adjust(name string, dots bool) string {
	ok := func(i int, r rune) bool {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
			return true
		case r >= '0' && r <= '9', r == '.' && dots:
			return i > 0
		}
		return false
	}
	var b strings.Builder
	for i, r := range name {
		if ok(i, r) {
			b.WriteRune(r)
			continue
		}
		b.WriteByte('_')
		if r > 0xFFFF {
			b.WriteByte('_')
		}
		if i == 0 && r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// adjustField returns the Avro name of a struct's field.
func adjustField(name string) string { return adjust(name, false) }

// adjustFull returns the Avro name, with namespace, of a struct.
func adjustFull(name string) string { return adjust(name, true) }

// split parts a full name at its last dot. Avro's own library takes namespaces
// whose parts begin with a digit, so they are no error here either.
func split(full string) (space, name string, err error) {
	for part := range strings.SplitSeq(full, ".") {
		if part == "" {
			return "", "", fmt.Errorf("the name %q has an empty part", full)
		}
	}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		space, name = full[:i], full[i+1:]
	} else {
		name = full
	}
	if name[0] >= '0' && name[0] <= '9' {
		return "", "", fmt.Errorf("the last part of the name %q begins with a digit", full)
	}
	return space, name, nil
}

// lax accepts what split does.
func lax(part string) error {
	if part == "" || strings.ContainsFunc(part, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}) {
		return fmt.Errorf("%q is no part of a name", part)
	}
	return nil
}

// reserved is true for the names of Avro's types: a record may have one, and then
// is never named without its namespace.
func reserved(name string) bool {
	switch name {
	case "record", "enum", "array", "map", "union", "fixed", "string", "bytes", "int", "long", "float", "double", "boolean", "null":
		return true
	}
	return false
}
