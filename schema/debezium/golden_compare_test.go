package debezium_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// difference is one field of one record that is not as the connector's. kind is
// value (another), spelling (the same, written in another way), missing (the
// connector alone has it), extra (this package alone has it) or order.
type difference struct {
	place        string // the pass over all types, else the table
	kind, path   string
	record       int
	ours, theirs string
}

func (d difference) String() string {
	const most = 300
	cut := func(s string) string { return s[:min(len(s), most)] }
	return fmt.Sprintf("%s record %d: %s %s\n  here      %s\n  connector %s", d.place, d.record, d.kind, d.path, cut(d.ours), cut(d.theirs))
}

// comparison gathers the differences of the records of one place.
type comparison struct {
	t      *testing.T
	place  string
	record int
	found  []difference
	values int // how many were compared, lists and objects by what is in them
}

func (c *comparison) differ(kind, path string, ours, theirs []byte) {
	c.found = append(c.found, difference{c.place, kind, path, c.record, string(ours), string(theirs)})
}

// byNature are what no two readers have in common: only that they are there, and
// their type, is compared.
func byNature(path string) bool {
	switch path {
	case "value.ts_ms", "value.ts_us", "value.ts_ns", "value.source.version", "value.source.lsn", "value.source.sequence",
		"value.source.ts_ms", "value.source.ts_us", "value.source.ts_ns", "value.source.txId":
		return true
	}
	return false
}

// member is one member of a JSON object, in its order.
type member struct {
	name  string
	value json.RawMessage
}

// members reads an object; false for what is none.
func (c *comparison) members(text json.RawMessage) ([]member, bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	c.token(decoder)
	var all []member
	for decoder.More() {
		name, _ := c.token(decoder).(string) // the decoder lets nothing else be a name
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			c.t.Fatalf("%s: %v", text, err)
		}
		all = append(all, member{name, value})
	}
	return all, true
}

func (c *comparison) token(decoder *json.Decoder) json.Token {
	token, err := decoder.Token()
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

func (c *comparison) items(text json.RawMessage) ([]json.RawMessage, bool) {
	if len(text) == 0 || text[0] != '[' {
		return nil, false
	}
	var items []json.RawMessage
	if err := json.Unmarshal(text, &items); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return items, true
}

// json compares JSON level by level, down to the octets of the leaves.
func (c *comparison) json(path string, ours, theirs json.RawMessage) {
	if byNature(path) && jsonType(ours) == jsonType(theirs) {
		return
	}
	if a, ok := c.members(ours); ok {
		if b, ok := c.members(theirs); ok {
			c.objects(path, a, b)
			return
		}
	}
	if a, ok := c.items(ours); ok {
		if b, ok := c.items(theirs); ok && len(a) == len(b) {
			for i := range a {
				c.json(path+"."+strconv.Itoa(i), a[i], b[i])
			}
			return
		}
	}
	c.values++
	switch {
	case bytes.Equal(ours, theirs):
	case same(ours, theirs):
		c.differ("spelling", path, ours, theirs)
	default:
		c.differ("value", path, ours, theirs)
	}
}

// jsonType tells JSON's types apart by the first octet.
func jsonType(text json.RawMessage) byte {
	if len(text) == 0 {
		return 0
	}
	if b := text[0]; b != '-' && (b < '0' || b > '9') {
		return b
	}
	return '0'
}

// same is true for equal numbers, compared exactly, and for equal strings.
func same(a, b json.RawMessage) bool {
	if jsonType(a) != jsonType(b) {
		return false
	}
	switch jsonType(a) {
	case '0':
		x, okX := new(big.Rat).SetString(string(a))
		y, okY := new(big.Rat).SetString(string(b))
		return okX && okY && x.Cmp(y) == 0
	case '"':
		var x, y string
		return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
	}
	return false
}

func (c *comparison) objects(path string, ours, theirs []member) {
	find := func(members []member, name string) int {
		return slices.IndexFunc(members, func(m member) bool { return m.name == name })
	}
	var orderOurs, orderTheirs []string
	for _, m := range ours {
		at := find(theirs, m.name)
		if at < 0 {
			c.differ("extra", path+"."+m.name, m.value, nil)
			continue
		}
		orderOurs = append(orderOurs, m.name)
		c.json(path+"."+m.name, m.value, theirs[at].value)
	}
	for _, m := range theirs {
		if find(ours, m.name) < 0 {
			c.differ("missing", path+"."+m.name, nil, m.value)
		} else {
			orderTheirs = append(orderTheirs, m.name)
		}
	}
	if !slices.Equal(orderOurs, orderTheirs) {
		c.differ("order", path, []byte(strings.Join(orderOurs, " ")), []byte(strings.Join(orderTheirs, " ")))
	}
}

// schemas compares schemas; a struct's fields are found by their names, and what is
// the schema's own is under #.
func (c *comparison) schemas(path string, ours, theirs json.RawMessage) {
	a, okA := c.members(ours)
	b, okB := c.members(theirs)
	if !okA || !okB {
		c.json(path, ours, theirs)
		return
	}
	ownA, partsA := c.parts(a)
	ownB, partsB := c.parts(b)
	c.objects(path+".#", ownA, ownB)
	for _, part := range []string{"items", "keys", "values"} {
		if partsA[part] != nil && partsB[part] != nil {
			c.schemas(path+"."+part, partsA[part], partsB[part])
		}
	}
	c.fields(path, partsA["fields"], partsB["fields"])
}

// parts takes the schemas within a schema out of it; each leaves its name behind.
func (c *comparison) parts(schema []member) (own []member, parts map[string]json.RawMessage) {
	parts = map[string]json.RawMessage{}
	for _, m := range schema {
		switch m.name {
		case "items", "keys", "values", "fields":
			parts[m.name] = m.value
			m.value = json.RawMessage("true")
		}
		own = append(own, m)
	}
	return own, parts
}

func (c *comparison) fields(path string, ours, theirs json.RawMessage) {
	a, b := c.named(ours), c.named(theirs)
	var orderA, orderB []string
	for _, x := range a {
		at := slices.IndexFunc(b, func(m member) bool { return m.name == x.name })
		if at < 0 {
			c.differ("extra", path+"."+x.name, x.value, nil)
			continue
		}
		orderA = append(orderA, x.name)
		c.schemas(path+"."+x.name, x.value, b[at].value)
	}
	for _, x := range b {
		if !slices.ContainsFunc(a, func(m member) bool { return m.name == x.name }) {
			c.differ("missing", path+"."+x.name, nil, x.value)
		} else {
			orderB = append(orderB, x.name)
		}
	}
	if !slices.Equal(orderA, orderB) {
		c.differ("order", path, []byte(strings.Join(orderA, " ")), []byte(strings.Join(orderB, " ")))
	}
}

// named are the fields of a struct's schema by their names.
func (c *comparison) named(fields json.RawMessage) []member {
	items, _ := c.items(fields) // no struct: no fields
	var all []member
	for _, item := range items {
		var name struct {
			Field string `json:"field"`
		}
		if err := json.Unmarshal(item, &name); err != nil {
			c.t.Fatalf("%s: %v", item, err)
		}
		all = append(all, member{name.Field, item})
	}
	return all
}
