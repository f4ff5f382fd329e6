package parity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// decode reads JSON with its numbers as they are written.
func decode(text json.RawMessage) (any, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // no JSON is null
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// values compares decoded JSON, level by level.
func (c *comparison) values(path string, ours, theirs any) {
	if reflects(ours) != reflects(theirs) {
		c.differs(Other, path, show(ours), show(theirs))
		return
	}
	if slices.Contains(byNature(c.table), path) {
		return
	}
	switch a := ours.(type) {
	case map[string]any:
		c.objects(path, a, theirs.(map[string]any)) //nolint:forcetypeassert // they are of one form
	case []any:
		c.arrays(path, a, theirs.([]any)) //nolint:forcetypeassert // they are of one form
	case json.Number:
		c.numbers(path, a, theirs.(json.Number)) //nolint:forcetypeassert // they are of one form
	default:
		if ours != theirs {
			c.differs(Other, path, show(ours), show(theirs))
		}
	}
}

// reflects names the JSON type of a decoded value.
func reflects(v any) string { return fmt.Sprintf("%T", v) }

func (c *comparison) objects(path string, ours, theirs map[string]any) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(ours)), maps.Keys(theirs))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, have := ours[name]
		b, want := theirs[name]
		switch {
		case have && want:
			c.values(path+"."+name, a, b)
		case have:
			c.differs(Extra, path+"."+name, show(a), "")
		default:
			c.differs(Missing, path+"."+name, "", show(b))
		}
	}
}

func (c *comparison) arrays(path string, ours, theirs []any) {
	if len(ours) != len(theirs) {
		c.differs(Other, path, show(ours), show(theirs))
		return
	}
	for i := range ours {
		c.values(path+"."+strconv.Itoa(i), ours[i], theirs[i])
	}
}

func (c *comparison) numbers(path string, ours, theirs json.Number) {
	switch {
	case ours == theirs:
	case equalNumbers(ours, theirs):
		c.differs(Spelling, path, ours.String(), theirs.String())
	default:
		c.differs(Other, path, ours.String(), theirs.String())
	}
}

// equalNumbers compares exactly. Numbers with exponents beyond any that a column's type has are not looked at.
func equalNumbers(a, b json.Number) bool {
	const longestExponent = 6 // digits with their sign
	for _, n := range []json.Number{a, b} {
		if at := strings.IndexAny(n.String(), "eE"); at >= 0 && len(n)-at-1 > longestExponent {
			return false
		}
	}
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// schemas compares the schemas of a key or a value. The fields of a struct are found by their names, so that one
// field too many does not make the others differ.
func (c *comparison) schemas(path string, ours, theirs json.RawMessage) {
	a, errA := decode(ours)
	b, errB := decode(theirs)
	if errA != nil || errB != nil {
		c.differs(Other, path, fmt.Sprint(string(ours), errA), fmt.Sprint(string(theirs), errB))
		return
	}
	c.schema(path, a, b)
}

func (c *comparison) schema(path string, ours, theirs any) {
	a, isA := ours.(map[string]any)
	b, isB := theirs.(map[string]any)
	if !isA || !isB {
		c.values(path, ours, theirs)
		return
	}
	for _, part := range []string{"items", "keys", "values"} { // of arrays and maps
		c.schema(path+"."+part, a[part], b[part])
	}
	c.fields(path, a["fields"], b["fields"])
	rest := func(m map[string]any) map[string]any {
		m = maps.Clone(m)
		for _, part := range []string{"items", "keys", "values", "fields"} {
			delete(m, part)
		}
		return m
	}
	c.objects(path+".#", rest(a), rest(b))
}

func (c *comparison) fields(path string, ours, theirs any) {
	a, orderA := named(ours)
	b, orderB := named(theirs)
	for _, name := range orderA {
		if field, both := b[name]; both {
			c.schema(path+"."+name, a[name], field)
		} else {
			c.differs(Extra, path+"."+name, show(a[name]), "")
		}
	}
	for _, name := range orderB {
		if _, both := a[name]; !both {
			c.differs(Missing, path+"."+name, "", show(b[name]))
		}
	}
	orderA = slices.DeleteFunc(orderA, func(name string) bool { return b[name] == nil })
	orderB = slices.DeleteFunc(orderB, func(name string) bool { return a[name] == nil })
	if !slices.Equal(orderA, orderB) {
		c.differs(Order, path, strings.Join(orderA, " "), strings.Join(orderB, " "))
	}
}

// named are the fields of a struct's schema by their names, and these in their order.
func named(fields any) (map[string]any, []string) {
	list, _ := fields.([]any) // no struct: no fields
	byName := map[string]any{}
	var order []string
	for _, field := range list {
		f, _ := field.(map[string]any) // no object: a field without a name
		name, _ := f["field"].(string)
		byName[name] = field
		order = append(order, name)
	}
	return byName, order
}
