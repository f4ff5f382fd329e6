package protobuf

import (
	"strconv"
	"strings"
)

// file is the whole .proto file, laid out as the converter does.
func (c *compiler) file(root *message) string {
	var text strings.Builder
	text.WriteString("syntax = \"proto3\";\n")
	if c.pkg != "" {
		text.WriteString("package " + c.pkg + ";\n")
	}
	for i, file := range c.imports {
		if i == 0 {
			text.WriteByte('\n')
		}
		text.WriteString("import \"" + file + "\";\n")
	}
	text.WriteByte('\n')
	text.WriteString(c.body(root, ""))
	return text.String()
}

// body is one message with everything in it, each line after indent.
func (c *compiler) body(m *message, indent string) string {
	var text strings.Builder
	text.WriteString(indent + "message " + m.name + " {")
	if len(m.fields) > 0 {
		text.WriteByte('\n')
	}
	for i := range m.fields {
		c.line(&text, &m.fields[i], indent+"  ")
	}
	for i, nested := range m.nested {
		if i == 0 {
			text.WriteByte('\n')
		}
		text.WriteString(c.body(nested, indent+"  "))
	}
	if len(m.fields) > 0 {
		text.WriteString(indent)
	}
	text.WriteString("}\n")
	return text.String()
}

// line is one field.
func (c *compiler) line(text *strings.Builder, f *field, indent string) {
	text.WriteString(indent)
	if f.repeated {
		text.WriteString("repeated ")
	}
	if f.optional {
		text.WriteString("optional ")
	}
	text.WriteString(c.typeName(f) + " " + f.name + " = " + strconv.Itoa(int(f.number)))
	if len(f.params) > 0 {
		text.WriteString(" [(" + c.absolute("confluent.field_meta") + ") = {\n" + indent + "  params: [\n")
		for i, p := range f.params {
			// The converter prints a Decimal's parameters value first.
			first, second := "key: \""+p.Key+"\"", "value: \""+p.Value+"\""
			if f.kind == kindDecimal {
				first, second = second, first
			}
			text.WriteString(indent + "    {\n" + indent + "      " + first + ",\n" + indent + "      " + second + "\n" + indent + "    }")
			if i < len(f.params)-1 {
				text.WriteByte(',')
			}
			text.WriteByte('\n')
		}
		text.WriteString(indent + "  ]\n" + indent + "}]")
	}
	text.WriteString(";\n")
}

// typeName is the type as f spells it: relative, unless that means another type.
func (c *compiler) typeName(f *field) string {
	switch {
	case f.message != nil && ambiguous(f.message.name):
		return f.message.full
	case f.message != nil:
		return f.message.name
	case f.kind.file() != "":
		return c.absolute(f.kind.name())
	}
	return f.kind.name()
}

// absolute is a full name of another file, marked as one where it has to be.
func (c *compiler) absolute(name string) string {
	if c.shadowed {
		return "." + name
	}
	return name
}
