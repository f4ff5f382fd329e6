package connect

import (
	"strconv"

	"penstock/schema/jsontext"
)

// AppendSchema appends the schema as Connect's JSON converter prints it inline,
// as an object. field is the name of the struct's field that has the schema, or
// empty.
func AppendSchema(dst []byte, s *Schema, field string) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(append(dst, s.Kind.String()...), '"')
	switch s.Kind {
	case Array:
		dst = AppendSchema(append(dst, `,"items":`...), s.Elem, "")
	case Map:
		dst = AppendSchema(append(dst, `,"keys":`...), s.Key, "")
		dst = AppendSchema(append(dst, `,"values":`...), s.Elem, "")
	case Struct:
		dst = append(dst, `,"fields":[`...)
		for i := range s.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendSchema(dst, s.Fields[i].Schema, s.Fields[i].Name)
		}
		dst = append(dst, ']')
	case Boolean, Int8, Int16, Int32, Int64, Float32, Float64, String, Bytes:
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional)
	if s.Name != "" {
		dst = jsontext.AppendJackson(append(dst, `,"name":`...), s.Name)
	}
	if s.Version != 0 {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(s.Version), 10)
	}
	if s.Doc != "" {
		dst = jsontext.AppendJackson(append(dst, `,"doc":`...), s.Doc)
	}
	if len(s.Parameters) > 0 {
		dst = appendParameters(append(dst, `,"parameters":`...), s.Parameters)
	}
	if s.Default != nil && s.Default.Form != Null {
		dst = AppendJSON(append(dst, `,"default":`...), s, *s.Default)
	}
	if field != "" {
		dst = jsontext.AppendJackson(append(dst, `,"field":`...), field)
	}
	return append(dst, '}')
}

func appendParameters(dst []byte, parameters []Parameter) []byte {
	dst = append(dst, '{')
	for i, p := range parameters {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendJackson(dst, p.Key), ':')
		dst = jsontext.AppendJackson(dst, p.Value)
	}
	return append(dst, '}')
}

// Wrapper prints values with their schema inline, {"schema":...,"payload":...},
// as Connect's JSON converter does under schemas.enable. The schema is printed
// once, when the Wrapper is made. Immutable: safe for concurrent use.
type Wrapper struct {
	schema *Schema
	prefix []byte // all that stands before the payload
}

// NewWrapper returns the Wrapper of values of s.
func NewWrapper(s *Schema) *Wrapper {
	prefix := AppendSchema([]byte(`{"schema":`), s, "")
	return &Wrapper{schema: s, prefix: append(prefix, `,"payload":`...)}
}

// Append appends v with the schema. It panics where [AppendJSON] does.
func (w *Wrapper) Append(dst []byte, v Value) []byte {
	dst = append(dst, w.prefix...)
	return append(AppendJSON(dst, w.schema, v), '}')
}
