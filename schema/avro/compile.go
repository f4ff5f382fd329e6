package avro

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/avro"

	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

// maxText is how long a schema may be, in bytes. Registries take less.
const maxText = 4 << 20

// The names that the converter gives to what has none.
const (
	confluent    = "io.confluent.connect.avro"
	defaultName  = "ConnectDefault"
	mapEntryName = "MapEntry"
)

// Compile derives the Avro form of s. An error names the field by its path and
// says what cannot be carried, or which two records' names become one. Safe for concurrent use.
func Compile(s *connect.Schema) (*Codec, error) {
	shapes := newShapes()
	if _, err := shapes.of(s, 0); err != nil {
		return nil, fmt.Errorf("compile to Avro: %w", err)
	}
	c := newCompiler(shapes)
	root, err := c.schema(s, "")
	if err != nil {
		return nil, fmt.Errorf("compile to Avro: %sthe schema %s: %w", c.at(), s.Name, err)
	}
	strict := c
	if c.odd {
		strict = newCompiler(shapes)
		strict.strict = true
		if _, err := strict.schema(s, ""); err != nil {
			return nil, fmt.Errorf("compile to Avro: %w", err)
		}
	}
	if _, err := avro.Parse(string(strict.text), avro.WithLaxNames(lax)); err != nil {
		return nil, fmt.Errorf("compile to Avro: the schema %s makes no valid one: %w", s.Name, err)
	}
	return &Codec{root: root, text: string(c.text)}, nil
}

// compiler walks a schema once, writes the text and makes the nodes. Its order is
// the converter's, so that nameless structs get the same names.
type compiler struct {
	text     []byte
	path     []string // of fields, to where it is
	shapes   *shapes
	records  map[string]*record // by full name
	nameless map[int]string     // whole shape to full name
	seen     map[string]bool    // the semantic types of the fields so far
	odd      bool               // there is a decimal that Avro has no logical type for
	strict   bool               // such decimals are written as the bytes that readers take them for
}

func newCompiler(shapes *shapes) *compiler {
	return &compiler{shapes: shapes, records: map[string]*record{}, nameless: map[int]string{}, seen: map[string]bool{}}
}

func (c *compiler) at() string {
	if len(c.path) == 0 {
		return ""
	}
	return "field " + strings.Join(c.path, ".") + " of "
}

func (c *compiler) write(text ...string) {
	for _, t := range text {
		c.text = append(c.text, t...)
	}
}

// schema writes s as a union or alone. space is the namespace around it.
func (c *compiler) schema(s *connect.Schema, space string) (*node, error) {
	if len(c.text) > maxText {
		return nil, fmt.Errorf("it is longer than %d bytes", maxText)
	}
	n := &node{kind: s.Kind, null: nullability(s), name: s.Name}
	switch n.null {
	case first:
		c.write(`["null",`)
	case last:
		c.write(`[`)
	case never:
	}
	var err error
	if n.items, err = c.body(s, space); err != nil {
		return nil, err
	}
	switch n.null {
	case first:
		c.write(`]`)
	case last:
		c.write(`,"null"]`)
	case never:
		if hasDefault(s) {
			n.fallback = n.append([]byte{}, s.Default)
		}
	}
	return n, nil
}

// body writes s as if it were not optional, and returns its items' nodes.
func (c *compiler) body(s *connect.Schema, space string) ([]*node, error) {
	if err := foreign(s); err != nil {
		return nil, err
	}
	switch s.Kind {
	case connect.Struct:
		return c.structure(s, space)
	case connect.Array:
		c.write(`{"type":"array","items":`)
		item, err := c.schema(s.Elem, space)
		if err != nil {
			return nil, err
		}
		return []*node{item}, c.end(s)
	case connect.Map:
		return c.mapping(s, space)
	case connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.Float32, connect.Float64,
		connect.String, connect.Bytes:
	}
	properties, err := c.properties(nil, s, s.Name)
	if err != nil {
		return nil, err
	}
	name := primitive(s.Kind)
	if len(properties) == 0 {
		c.write(`"`, name, `"`)
		return nil, nil
	}
	c.write(`{"type":"`, name, `"`, string(properties), `}`)
	return nil, nil
}

// end writes the properties of s and closes it.
func (c *compiler) end(s *connect.Schema) error {
	var err error
	c.text, err = c.properties(c.text, s, s.Name)
	c.write(`}`)
	return err
}

// keyedByText is true for what Avro has a map for.
func keyedByText(s *connect.Schema) bool { return s.Key.Kind == connect.String && !s.Key.Optional }

func (c *compiler) mapping(s *connect.Schema, space string) ([]*node, error) {
	if keyedByText(s) {
		c.write(`{"type":"map","values":`)
		elem, err := c.schema(s.Elem, space)
		if err != nil {
			return nil, err
		}
		return []*node{{kind: connect.String, name: s.Key.Name}, elem}, c.end(s)
	}
	full, internal := confluent+"."+mapEntryName, ""
	if s.Name != "" {
		full, internal = adjustFull(s.Name), `,"connect.internal.type":"`+mapEntryName+`"`
	}
	c.write(`{"type":"array","items":`)
	r := record{full: full, connect: s.Name, layout: c.shapes.done[s].layout}
	items, err := c.define(r, space, "", func(space string) ([]*node, error) {
		key, err := c.field("key", s.Key, "", space)
		if err != nil {
			return nil, err
		}
		c.write(`,`)
		value, err := c.field("value", s.Elem, "", space)
		c.write(`]`, internal)
		return []*node{key, value}, err
	})
	if err != nil {
		return nil, err
	}
	return items, c.end(s)
}

// structure writes a struct's record.
func (c *compiler) structure(s *connect.Schema, space string) ([]*node, error) {
	id := c.shapes.done[s]
	r := record{full: adjustFull(s.Name), connect: s.Name, layout: id.layout}
	if s.Name == "" {
		if r.full = c.nameless[id.whole]; r.full == "" {
			r.full = confluent + "." + defaultName
			if n := len(c.nameless) + 1; n > 1 {
				r.full += strconv.Itoa(n)
			}
			c.nameless[id.whole] = r.full
		}
	}
	parameters := parametersOf(s)
	return c.define(r, space, parameters[recordDoc], func(space string) ([]*node, error) {
		fields, err := c.fields(s, space, parameters)
		if err != nil {
			return nil, err
		}
		c.write(`]`)
		name := ""
		if s.Name != "" {
			name = r.full
		}
		c.text, err = c.properties(c.text, s, name)
		return fields, err
	})
}

func (c *compiler) fields(s *connect.Schema, space string, parameters map[string]string) ([]*node, error) {
	nodes := make([]*node, 0, len(s.Fields))
	names, err := connect.FieldNames(s.Fields, adjustField, func(name string) string { return name })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	for i, f := range s.Fields {
		if names[i] == "" {
			return nil, fmt.Errorf("field %d of %s has no name", i+1, s.Name)
		}
		if i > 0 {
			c.write(`,`)
		}
		n, err := c.field(names[i], f.Schema, parameters[fieldDoc+f.Name], space)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// field writes a record's field, of an adjusted name.
func (c *compiler) field(name string, s *connect.Schema, doc, space string) (*node, error) {
	c.path = append(c.path, name)
	again := s.Name != "" && c.seen[s.Name]
	c.seen[s.Name] = true
	c.write(`{"name":"`, name, `","type":`)
	n, err := c.schema(s, space)
	if err != nil {
		return nil, err
	}
	if doc != "" {
		c.text = jsontext.AppendString(append(c.text, `,"doc":`...), doc)
	}
	switch {
	case hasDefault(s) && readable(s, s.Default):
		c.text = appendDefault(append(c.text, `,"default":`...), s, s.Default)
	case !hasDefault(s) && s.Optional:
		c.write(`,"default":null`)
	}
	if again && s.Kind == connect.Struct { // the record is only named here, and would lose them
		c.text = appendParameters(c.text, s)
	}
	c.write(`}`)
	c.path = c.path[:len(c.path)-1]
	return n, nil
}
