package format_test

import (
	"strconv"
	"strings"
	"testing"
	"text/scanner"

	"google.golang.org/protobuf/types/descriptorpb"
)

// parseProto reads a schema of messages and single fields, and reads over what is
// for the file's authors.
func parseProto(t *testing.T, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	p := &protoParser{}
	p.Init(strings.NewReader(text))
	p.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanStrings
	file := &descriptorpb.FileDescriptorProto{Name: new("record.proto"), Syntax: new("proto3")}
	for p.Scan() != scanner.EOF {
		switch word := p.TokenText(); word {
		case "syntax", "import":
			p.until(";")
		case "package":
			file.Package = new(p.until(";"))
		case "message":
			file.MessageType = append(file.MessageType, p.message())
		default:
			t.Fatalf("%s: unexpected %q in\n%s", p.Pos(), word, text)
		}
	}
	return file
}

type protoParser struct{ scanner.Scanner }

// until returns what stands before a token, which it reads too.
func (p *protoParser) until(token string) string {
	var text strings.Builder
	for p.Scan() != scanner.EOF && p.TokenText() != token {
		text.WriteString(p.TokenText())
	}
	return text.String()
}

func (p *protoParser) message() *descriptorpb.DescriptorProto {
	m := &descriptorpb.DescriptorProto{Name: new(p.until("{"))}
	for p.Scan() != scanner.EOF && p.TokenText() != "}" {
		kind := p.TokenText()
		if kind == "message" {
			m.NestedType = append(m.NestedType, p.message())
			continue
		}
		optional := kind == "optional"
		if optional {
			p.Scan()
			kind = p.TokenText()
		}
		f := &descriptorpb.FieldDescriptorProto{
			Name: new(p.until("=")), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if n, err := strconv.ParseInt(strings.SplitN(p.until(";"), "[", 2)[0], 10, 32); err == nil {
			f.Number = new(int32(n))
		}
		if scalar, found := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(kind)]; found {
			f.Type = descriptorpb.FieldDescriptorProto_Type(scalar).Enum()
		} else {
			f.TypeName = &kind
		}
		if optional {
			f.Proto3Optional, f.OneofIndex = new(true), new(int32(len(m.GetOneofDecl())))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: new("_" + f.GetName())})
		}
		m.Field = append(m.Field, f)
	}
	return m
}
