package protobuf

import (
	"fmt"
	"strconv"
	"strings"

	"penstock/schema/connect"
)

const (
	// maxDepth is how deep messages may nest: what Protobuf's readers accept.
	maxDepth = 100
	// maxFields is how many fields a file may have in all its messages. Postgres
	// allows 1,600 columns to a table.
	maxFields = 100_000
)

// kind is the form of a field's items on the wire.
type kind uint8

const (
	kindInt32 kind = iota
	kindInt64
	kindBool
	kindFloat
	kindDouble
	kindString
	kindBytes
	kindDecimal
	kindDate
	kindTime
	kindTimestamp
	kindMessage // a nested message of ours
	kindMap     // entries: a nested message with a field for the key and one for the value
	kindLists   // items that are repeated themselves: a nested message with one field
)

// message is one message of the file and the layout of its values.
type message struct {
	name   string
	full   string // with package and outer messages, and a leading dot
	schema *connect.Schema
	start  int // what the compiler's counter was before its fields
	fields []field
	nested []*message
	wraps  bool // one of google.protobuf's wrappers: its value stands for the field's
}

// field is one field of a message.
type field struct {
	name     string
	number   int32
	kind     kind
	repeated bool
	optional bool           // a reader can tell null from zero
	scale    int32          // kindDecimal
	message  *message       // kindMessage, kindMap, kindLists
	instead  *connect.Value // what a null becomes; nil for nothing
	params   []connect.Parameter
}

// scalar reports whether a reader sees the kind's zero where nothing is, unless the field is optional.
func (f *field) scalar() bool { return !f.repeated && f.kind <= kindBytes }

// compiler walks a schema once. Its counter and its order are the converter's, so
// that nameless structs get the same names.
type compiler struct {
	pkg      string
	imports  []string
	nameless int
	count    int
	shadowed bool // a name of ours hides google or confluent from relative names
}

// root compiles the outermost struct.
func (c *compiler) root(s *connect.Schema) (*message, error) {
	pkg, name := splitName(c.nameOf(s))
	c.pkg = strings.Join(pkg, ".")
	for i, part := range pkg {
		c.shadowed = c.shadowed || i > 0 && hides(part)
	}
	full := "." + name
	if c.pkg != "" {
		full = "." + c.pkg + full
	}
	return c.message(s, name, full, place{path: full[1:], depth: 1})
}

// place is where in the schema the compiler is.
type place struct {
	path  string
	depth int
}

func (p place) child(name string) place { return place{path: p.path + "." + name, depth: p.depth} }

// message compiles a struct.
func (c *compiler) message(s *connect.Schema, name, full string, at place) (*message, error) {
	m, err := c.parts(s, name, full, at, s.Fields...)
	if err != nil {
		return nil, err
	}
	for i := range m.fields {
		f := &m.fields[i]
		f.optional = f.optional || at.depth > 1 && f.scalar()
		if def := s.Fields[i].Schema.Default; def != nil && def.Form != connect.Null && !f.optional && !s.Fields[i].Schema.Optional {
			f.instead = def
		}
	}
	return m, nil
}

// entry compiles the message of a map's entries.
func (c *compiler) entry(s *connect.Schema, name, full string, at place) (*message, error) {
	return c.parts(s, name, full, at, connect.Field{Name: "key", Schema: s.Key}, connect.Field{Name: "value", Schema: s.Elem})
}

// parts compiles a message of the fields, and what they nest.
func (c *compiler) parts(s *connect.Schema, name, full string, at place, fields ...connect.Field) (*message, error) {
	if at.depth > maxDepth {
		return nil, fmt.Errorf("compile %s: messages nest deeper than %d", at.path, maxDepth)
	}
	m := &message{name: name, full: full, schema: s, start: c.nameless, fields: make([]field, 0, len(fields))}
	c.shadowed = c.shadowed || hides(name)
	own, err := connect.FieldNames(fields, scrub, jsonName)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", at.path, err)
	}
	names := symbols{fields: map[string]bool{}, types: map[string]string{}}
	for i := range own {
		names.fields[own[i]] = true
	}
	for i := range fields {
		if err := c.add(m, names, own[i], fields[i].Schema, at.child(fields[i].Name)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add compiles one field as the next of m, under the name.
func (c *compiler) add(m *message, names symbols, name string, s *connect.Schema, at place) error {
	if s == nil {
		return fmt.Errorf("compile %s: it has no schema", at.path)
	}
	if c.count++; c.count > maxFields {
		return fmt.Errorf("compile %s: the schema has more than %d fields", at.path, maxFields)
	}
	f := field{name: name, number: int32(len(m.fields)) + 1, repeated: s.Kind == connect.Array}
	nullable := s.Optional
	if f.repeated {
		if s = s.Elem; s == nil {
			return fmt.Errorf("compile %s: its items have no schema", at.path)
		}
		if s.Kind == connect.Array || s.Kind == connect.Map {
			return c.addLists(m, names, &f, s, at)
		}
	}
	if err := c.typed(&f, s, at); err != nil {
		return err
	}
	f.optional = nullable && f.scalar()
	if f.kind == kindMessage || f.kind == kindMap {
		if err := c.nest(m, names, &f, s, at); err != nil {
			return err
		}
	}
	m.fields = append(m.fields, f)
	return nil
}

// addLists compiles an array of arrays or of maps as the next field of m: Protobuf
// wants a message around each of them.
func (c *compiler) addLists(m *message, names symbols, f *field, item *connect.Schema, at place) error {
	name := names.typeName(f.name + "Item")
	if err := names.take(name, f.name, at.path); err != nil {
		return err
	}
	at.depth++
	list, err := c.parts(item, name, m.full+"."+name, at, connect.Field{Name: "items", Schema: item})
	if err != nil {
		return err
	}
	f.kind, f.message = kindLists, list
	m.nested = append(m.nested, list)
	m.fields = append(m.fields, *f)
	return nil
}

// nest gives f its message: m itself, one that m has, or a new one.
func (c *compiler) nest(m *message, names symbols, f *field, s *connect.Schema, at place) error {
	name := scrub(lastPart(c.nameOf(s)))
	if f.kind == kindMap {
		f.repeated = true
		name = scrub(entryName(name)) // which may begin with a digit
	}
	name = names.typeName(name)
	if f.kind == kindMessage && name == m.name {
		if m.schema != s {
			return fmt.Errorf("compile %s: its type has the name %s, which is another type's around it", at.path, name)
		}
		f.message = m
		return nil
	}
	compile := c.message
	if f.kind == kindMap {
		compile = c.entry
	}
	at.depth++
	earlier := m.nestedAs(name)
	if earlier == nil {
		if err := names.take(name, f.name, at.path); err != nil {
			return err
		}
		one, err := compile(s, name, m.full+"."+name, at)
		if err != nil {
			return err
		}
		f.message = one
		m.nested = append(m.nested, one)
		return nil
	}
	if f.message = earlier; earlier.schema == s {
		return nil
	}
	// The same type may come as two equal schemas, with defaults of their own.
	after := c.nameless
	c.nameless = earlier.start
	one, err := compile(s, name, m.full+"."+name, at)
	if err != nil {
		return err
	}
	if c.body(one, "") != c.body(earlier, "") {
		return fmt.Errorf("compile %s: another type of %s has the name %s too, and is not the same", at.path, m.name, name)
	}
	c.nameless = after
	f.message = one
	return nil
}

// nestedAs returns the message that m nests under the name, or nil.
func (m *message) nestedAs(name string) *message {
	for _, n := range m.nested {
		if n.name == name {
			return n
		}
	}
	return nil
}

// nameOf is the schema's name, or the next of those for nameless ones.
func (c *compiler) nameOf(s *connect.Schema) string {
	if s.Name != "" {
		return s.Name
	}
	c.nameless++
	return "ConnectDefault" + strconv.Itoa(c.nameless)
}

// symbols are the names that one message's scope holds.
type symbols struct {
	fields map[string]bool
	types  map[string]string // with the field that has each of them
}

// typeName is the name of a type: a message and a field of one name cannot live together.
func (n symbols) typeName(name string) string {
	for n.fields[name] {
		name += "Message"
	}
	return name
}

func (n symbols) take(name, field, path string) error {
	if other, taken := n.types[name]; taken {
		return fmt.Errorf("compile %s: the types of field %q and field %q both get the name %s", path, other, field, name)
	}
	n.types[name] = field
	return nil
}
