package config

import "reflect"

// keysOf lists the keys of a section.
func keysOf(section reflect.Value) []string {
	var keys []string
	for field := range section.Type().Fields() {
		if key := field.Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf returns the field of a section that a key fills.
func fieldOf(section reflect.Value, key string) (reflect.Value, bool) {
	for field, value := range section.Fields() {
		if key != "" && field.Tag.Get("yaml") == key {
			return value, true
		}
	}
	return reflect.Value{}, false
}
