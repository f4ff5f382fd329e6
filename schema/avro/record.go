package avro

import (
	"fmt"

	"penstock/schema/jsontext"
)

// record is what has a name in Avro. It is defined once.
type record struct {
	full    string // with namespace
	connect string // the schema's name before it was adjusted; empty for none
	layout  int
	items   []*node
}

// define writes r with the fields and properties that write makes, or its name
// alone when it is defined. A name that is taken by something else is an error.
func (c *compiler) define(r record, space, doc string, write func(space string) ([]*node, error)) ([]*node, error) {
	if known, ok := c.records[r.full]; ok {
		switch {
		case known.connect != r.connect:
			return nil, fmt.Errorf("the schemas %q and %q are both %s in Avro; rename one", known.connect, r.connect, r.full)
		case known.layout != r.layout:
			return nil, fmt.Errorf("the name %s comes again with other fields", r.full)
		}
		c.write(`"`, reference(r.full, space), `"`)
		return known.items, nil
	}
	inner, name, err := split(r.full)
	if err != nil {
		return nil, err
	}
	c.records[r.full] = &r
	c.write(`{"type":"record","name":"`, name, `"`)
	if inner != space {
		c.write(`,"namespace":"`, inner, `"`)
	}
	if doc != "" {
		c.text = jsontext.AppendString(append(c.text, `,"doc":`...), doc)
	}
	c.write(`,"fields":[`)
	if r.items, err = write(inner); err != nil {
		return nil, err
	}
	c.write(`}`)
	return r.items, nil
}

// reference is how the record full is named within a namespace.
func reference(full, space string) string {
	if inner, name, _ := split(full); inner == space && !reserved(name) {
		return name
	}
	return full
}
