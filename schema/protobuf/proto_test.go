package protobuf_test

import (
	"strconv"
	"strings"
	"testing"
	"text/scanner"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// The files that come with every compiler.
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"penstock/schema/protobuf"
)

// load makes a descriptor of the codec's message from its text and from the
// texts of what it imports.
func load(t testing.TB, c *protobuf.Codec) protoreflect.MessageDescriptor {
	t.Helper()
	files := new(protoregistry.Files)
	add := func(name, text string) protoreflect.FileDescriptor {
		proto := parseProto(t, name, text)
		file, err := protodesc.NewFile(proto, both{files})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if err := files.RegisterFile(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, r := range c.References() {
		if r.Text != "" {
			add(r.Name, r.Text)
		}
	}
	file := add("record.proto", c.Schema())
	return file.Messages().Get(c.MessageIndexes()[0])
}

// both looks into the files of a test, then into those that are linked in.
type both struct{ *protoregistry.Files }

func (b both) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if f, err := b.Files.FindFileByPath(path); err == nil {
		return f, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

func (b both) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := b.Files.FindDescriptorByName(name); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

// parser reads as much of the language as the texts here use. Options are read
// over.
type parser struct {
	t     testing.TB
	scan  scanner.Scanner
	token string
}

func parseProto(t testing.TB, name, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	p := &parser{t: t}
	p.scan.Init(strings.NewReader(text))
	p.scan.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanStrings
	p.next()
	file := &descriptorpb.FileDescriptorProto{Name: &name}
	for p.token != "" {
		switch word := p.take(); word {
		case "syntax":
			p.want("=")
			file.Syntax = new(p.text())
			p.want(";")
		case "package":
			file.Package = new(p.name())
			p.want(";")
		case "import":
			file.Dependency = append(file.Dependency, p.text())
			p.want(";")
		case "option":
			p.until(";")
		case "message":
			file.MessageType = append(file.MessageType, p.message())
		case "extend":
			of := p.name()
			for p.want("{"); p.token != "}"; {
				f := p.field(nil)
				f.Extendee = &of
				file.Extension = append(file.Extension, f)
			}
			p.want("}")
		default:
			t.Fatalf("%s: unexpected %q", p.scan.Pos(), word)
		}
	}
	return file
}

func (p *parser) message() *descriptorpb.DescriptorProto {
	m := &descriptorpb.DescriptorProto{Name: new(p.take())}
	for p.want("{"); p.token != "}"; {
		if p.token == "message" {
			p.take()
			m.NestedType = append(m.NestedType, p.message())
			continue
		}
		m.Field = append(m.Field, p.field(m))
	}
	p.want("}")
	for _, f := range m.GetField() {
		if f.GetProto3Optional() { // as compilers have it: a oneof of its own
			f.OneofIndex = new(int32(len(m.GetOneofDecl())))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: new("_" + f.GetName())})
		}
	}
	return m
}

func (p *parser) field(m *descriptorpb.DescriptorProto) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	if p.token == "repeated" {
		p.take()
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if p.token == "optional" {
		p.take()
		f.Proto3Optional = new(true)
	}
	typ := p.name()
	if typ == "map" { // only in the options' own definition
		p.want("<")
		p.take()
		p.want(",")
		p.take()
		p.want(">")
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		typ = "ParamsEntry"
		str := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
		optional := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
		m.NestedType = append(m.NestedType, &descriptorpb.DescriptorProto{
			Name: &typ, Options: &descriptorpb.MessageOptions{MapEntry: new(true)},
			Field: []*descriptorpb.FieldDescriptorProto{
				{Name: new("key"), Number: new(int32(1)), Type: str, Label: optional},
				{Name: new("value"), Number: new(int32(2)), Type: str, Label: optional},
			},
		})
	}
	if scalar, found := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(typ)]; found && typ == strings.ToLower(typ) && typ != "message" {
		f.Type = descriptorpb.FieldDescriptorProto_Type(scalar).Enum()
	} else {
		f.TypeName = &typ
	}
	f.Name = new(p.take())
	p.want("=")
	number, err := strconv.ParseInt(p.take(), 10, 32)
	if err != nil {
		p.t.Fatalf("%s: %v", p.scan.Pos(), err)
	}
	f.Number = new(int32(number))
	if p.token == "[" {
		p.option()
	}
	p.want(";")
	return f
}

// option reads over a field's options, whose brackets must pair.
func (p *parser) option() {
	for depth := 0; p.token != ""; {
		switch p.take() {
		case "[", "{":
			depth++
		case "]", "}":
			depth--
		}
		if depth == 0 {
			return
		}
	}
}

func (p *parser) next() {
	if p.scan.Scan() == scanner.EOF {
		p.token = ""
		return
	}
	p.token = p.scan.TokenText()
}

func (p *parser) take() string {
	token := p.token
	p.next()
	return token
}

func (p *parser) want(token string) {
	p.t.Helper()
	if got := p.take(); got != token {
		p.t.Fatalf("%s: got %q, want %q", p.scan.Pos(), got, token)
	}
}

// name reads a dotted name, also one with a leading dot.
func (p *parser) name() string {
	var name strings.Builder
	for part := p.take(); ; part = p.take() {
		name.WriteString(part)
		if part != "." && p.token != "." {
			return name.String()
		}
	}
}

func (p *parser) text() string {
	text, err := strconv.Unquote(p.take())
	if err != nil {
		p.t.Fatalf("%s: %v", p.scan.Pos(), err)
	}
	return text
}

func (p *parser) until(token string) {
	for p.token != token && p.token != "" {
		p.take()
	}
	p.want(token)
}
