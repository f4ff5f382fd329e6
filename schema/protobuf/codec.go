package protobuf

import (
	"slices"

	"penstock/schema/connect"
)

// Codec writes the values of one schema. It is immutable and safe for concurrent use.
type Codec struct {
	root    *message
	text    string
	imports []string
	indexes []int
}

// Compile derives the Protobuf form of s. An error names the field by its path
// and says what cannot be carried, or which two types' names become one.
func Compile(s *connect.Schema) (*Codec, error) {
	if s.Kind != connect.Struct {
		return compileWrapper(s)
	}
	c := &compiler{}
	root, err := c.root(s)
	if err != nil {
		return nil, err
	}
	return &Codec{root: root, text: c.file(root), imports: c.imports, indexes: []int{0}}, nil
}

// Schema returns the text of the .proto file to register.
func (c *Codec) Schema() string { return c.text }

// MessageIndexes returns the path to the message within the file, as the framing
// of a registry's records wants it: 0 for the first message. Read only.
func (c *Codec) MessageIndexes() []int { return c.indexes }

// References returns the files that the schema imports, in the order of its
// imports.
func (c *Codec) References() []Reference {
	references := make([]Reference, 0, len(c.imports))
	for _, name := range c.imports {
		i := slices.IndexFunc(known(), func(r Reference) bool { return r.Name == name })
		references = append(references, known()[i])
	}
	return references
}

// Append appends v, a value of the compiled schema, in wire format and without a
// registry's framing. A Null appends nothing, which reads as a message of zeros:
// a record whose value is null should rather have no value. A value of another
// form than its schema's is written as zero.
//
// It allocates only what dst needs to grow, but for decimals of more than 19
// digits that are a power of ten or within a billionth of one.
func (c *Codec) Append(dst []byte, v connect.Value) []byte {
	if v.Form == connect.Null {
		return dst
	}
	if c.root.wraps {
		return appendField(dst, &c.root.fields[0], v)
	}
	return appendMessage(dst, c.root, v)
}
