package config

import (
	"reflect"
	"strings"
)

// keysOf lists the keys of a section, with those of a struct that it embeds.
func keysOf(section reflect.Value) []string {
	var keys []string
	for field, value := range section.Fields() {
		if field.Anonymous {
			keys = append(keys, keysOf(value)...)
		} else if key := keyOf(field); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf returns the field of a section that a key fills.
func fieldOf(section reflect.Value, key string) (reflect.Value, bool) {
	for field, value := range section.Fields() {
		if field.Anonymous {
			if inner, ok := fieldOf(value, key); ok {
				return inner, true
			}
		} else if key != "" && keyOf(field) == key {
			return value, true
		}
	}
	return reflect.Value{}, false
}

// cutKey takes the key of a section off the front of a path. A key may hold dots;
// no key is the front of another.
func cutKey(section reflect.Value, path string) (key, rest string, ok bool) {
	for _, key := range keysOf(section) {
		if rest, found := strings.CutPrefix(path, key); found && (rest == "" || rest[0] == '.') {
			return key, strings.TrimPrefix(rest, "."), true
		}
	}
	return "", "", false
}

// keyOf is the name of a field in the file.
func keyOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}
