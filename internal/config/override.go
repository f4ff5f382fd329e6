package config

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"penstock/internal/fault"
)

// Override is one key that the command line sets.
type Override struct {
	Key    string // key path, such as source.slot
	Value  string // a list is comma-separated
	Origin string // how it was given, for messages: "flag --set"
}

// envPrefix starts every environment variable that is a configuration key.
const envPrefix = "PENSTOCK_"

// applyEnvironment sets each key that a variable PENSTOCK_<SECTION>_<KEY> names.
// A variable of a known section with an unknown key is an error; any other
// variable is somebody else's.
func (c *Config) applyEnvironment(env map[string]string) []error {
	keys := map[string]string{}
	root := reflect.ValueOf(c).Elem()
	for _, path := range leaves(root, "") {
		keys[envPrefix+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))] = path
	}
	var problems []error
	for _, name := range sortedKeys(env) {
		at := origin{label: "environment " + name}
		if path, ok := keys[name]; ok {
			problems = append(problems, c.set(path, env[name], at)...)
		} else if ofSection(root, name) {
			f := fault.Error{What: "unknown environment variable " + name, Fix: "unset it"}
			if meant := Nearest(name, sortedKeys(keys)); meant != "" {
				f.Fix = "did you mean " + meant + "?"
			}
			problems = append(problems, newProblem("", origin{label: "environment"}, f))
		}
	}
	return problems
}

// ofSection reports whether a variable's name starts as those of a section do.
func ofSection(root reflect.Value, name string) bool {
	for _, section := range keysOf(root) {
		if field, _ := fieldOf(root, section); field.Kind() == reflect.Struct &&
			strings.HasPrefix(name, envPrefix+strings.ToUpper(section)+"_") {
			return true
		}
	}
	return false
}

func (c *Config) applyOverrides(overrides []Override) []error {
	var problems []error
	for _, o := range overrides {
		problems = append(problems, c.set(o.Key, o.Value, origin{label: o.Origin})...)
	}
	return problems
}

// set gives the key at path a value that does not come from the file.
func (c *Config) set(path, text string, at origin) []error {
	err := setPath(reflect.ValueOf(c).Elem(), path, text)
	if err != nil {
		c.failed[path] = true
		return []error{newProblem(path, at, faultOf(err))}
	}
	delete(c.failed, path)
	c.origins[path], c.given[path] = at, true
	return nil
}

// setPath finds the value at path, making map entries as it goes, and sets it.
func setPath(v reflect.Value, path, text string) error {
	switch {
	case isScalar(v.Type()) && path == "":
		return setScalar(v, text)
	case v.Kind() == reflect.Slice && path == "":
		return setList(v, text)
	case path == "" && v.Kind() == reflect.Map:
		return &fault.Error{What: "has entries", Fix: "add the name of one to the key"}
	case path == "":
		return &fault.Error{What: "is a section, not a key", Fix: "add one of its keys: " + strings.Join(keysOf(v), ", ")}
	case v.Kind() == reflect.Map:
		return setEntry(v, path, text)
	case v.Kind() == reflect.Struct && !isScalar(v.Type()):
		key, rest, ok := cutKey(v, path)
		if !ok {
			return unknownKey(v, path)
		}
		field, _ := fieldOf(v, key)
		return setPath(field, rest, text)
	}
	return &fault.Error{What: fmt.Sprintf("has no key %q below it", path), Fix: "leave ." + path + " away"}
}

// unknownKey tells that a section has no key that the path starts with. The key
// meant may have dots, so it may be the path up to its first dot or all of it.
func unknownKey(section reflect.Value, path string) error {
	first, _, _ := strings.Cut(path, ".")
	for _, key := range []string{path, first} {
		if meant := Nearest(key, keysOf(section)); meant != "" {
			return &fault.Error{What: fmt.Sprintf("unknown key %q", key), Fix: "did you mean " + meant + "?"}
		}
	}
	return &fault.Error{What: fmt.Sprintf("unknown key %q", first), Fix: "the keys there are " + strings.Join(keysOf(section), ", ")}
}

// setEntry sets below one entry of a map.
func setEntry(v reflect.Value, path, text string) error {
	name, rest, err := cutEntry(v.Type(), path)
	if err != nil {
		return err
	}
	key, element := reflect.ValueOf(name).Convert(v.Type().Key()), reflect.New(v.Type().Elem()).Elem()
	if old := v.MapIndex(key); old.IsValid() {
		element.Set(old)
	}
	if err := setPath(element, rest, text); err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(key, element)
	return nil
}

// cutEntry takes the key of a map's entry off the front of a path. That of a text
// is the whole path, with its dots, and that of a table is schema.table.
func cutEntry(m reflect.Type, path string) (key, rest string, err error) {
	switch {
	case isScalar(m.Elem()) && m.Key() == reflect.TypeFor[TableKey]():
		table, err := ParseTable(path)
		if err == nil && FormatTable(table) != path {
			err = otherSpelling(FormatTable(table))
		}
		return path, "", err
	case isScalar(m.Elem()):
		return path, "", nil
	case m.Key() != reflect.TypeFor[TableKey]():
		key, rest, _ = strings.Cut(path, ".")
		return key, rest, nil
	}
	table, rest, err := cutTable(path)
	if err != nil {
		return "", "", err
	}
	key = FormatTable(table)
	if !strings.HasPrefix(path, key) { // one path for one key, or it would not be known as given
		return "", "", otherSpelling(key)
	}
	return key, strings.TrimPrefix(rest, "."), nil
}

func otherSpelling(key string) error {
	return &fault.Error{What: "the table has another spelling here", Fix: "write it " + key}
}

// leaves lists the paths of all keys that are not sections or maps.
func leaves(v reflect.Value, path string) []string {
	if isScalar(v.Type()) || v.Kind() == reflect.Slice {
		return []string{path}
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	var paths []string
	for _, key := range keysOf(v) {
		field, _ := fieldOf(v, key)
		paths = append(paths, leaves(field, join(path, key))...)
	}
	return paths
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
