package connect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// FieldNames returns a name for each of the fields, in their order, for a format that does
// not take every name: what adjust makes of the field's own. alike says which two of
// these the format would mix up. The first field keeps its name; a later one that is like an earlier gets an
// underscore and the first eight digits of its own name's SHA-256 after it. So a
// column that is added, which is the last one, changes no other's name. An error
// says which name comes twice.
func FieldNames(fields []Field, adjust, alike func(string) string) ([]string, error) {
	names := make([]string, len(fields))
	own, taken := make(map[string]bool, len(fields)), make(map[string]bool, len(fields))
	for i := range fields {
		if own[fields[i].Name] {
			return nil, fmt.Errorf("two fields have the name %q", fields[i].Name)
		}
		own[fields[i].Name] = true
		name := adjust(fields[i].Name)
		for digits := 8; taken[alike(name)]; digits++ {
			sum := sha256.Sum256([]byte(fields[i].Name))
			name = adjust(fields[i].Name) + "_" + hex.EncodeToString(sum[:])[:min(digits, 2*len(sum))]
		}
		taken[alike(name)] = true
		names[i] = name
	}
	return names, nil
}
