package avro_test

import (
	"fmt"
	"math"
	"testing"

	"penstock/schema/avro"
	"penstock/schema/connect"
)

// FuzzRoundTrip makes a schema and a value of it from the input: whatever they
// are, what Append writes is read back by the schema's text alone.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{})
	for kind := range byte(connect.Struct + 1) {
		f.Add([]byte{kind, 0, 3, 1, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		f.Add([]byte{byte(connect.Struct), 1, 4, kind, 3, 5, kind, 1, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 200, 255})
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		g := &generator{input: input}
		s := g.schema(0)
		v := g.value(s)
		c, err := avro.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, c, reader(t, c), s, v)
	})
}

// FuzzNames compiles schemas of any names: a valid schema or an error.
func FuzzNames(f *testing.F) {
	f.Add("srv.public.T", "a", "b", "doc")
	f.Add("1.2", "é", "_", `"`)
	f.Add("", "\xff", ".", "\x00")
	f.Add("int", "int", "null", "string")
	f.Fuzz(func(t *testing.T, name, one, two, doc string) {
		inner := structOf(one, field(two, of(connect.Int32)))
		inner.Doc = doc
		other := structOf(two, field(name, of(connect.String)))
		other.Parameters = []connect.Parameter{{Key: one, Value: doc}}
		s := structOf(name, field(one, inner), field(two, optional(inner)), field(doc, other))
		c, err := avro.Compile(s)
		if err != nil {
			return
		}
		reader(t, c)
	})
}

// generator draws from its input, and zeros when that is used up.
type generator struct {
	input []byte
	names int
}

func (g *generator) byte() byte {
	if len(g.input) == 0 {
		return 0
	}
	b := g.input[0]
	g.input = g.input[1:]
	return b
}

func (g *generator) number() int64 {
	n := int64(int8(g.byte()))
	for range g.byte() % 8 {
		n = n<<8 | int64(g.byte())
	}
	return n
}

func (g *generator) schema(depth int) *connect.Schema {
	const maxDepth = 6
	kinds := byte(connect.Struct + 1)
	if depth == maxDepth {
		kinds = byte(connect.Array)
	}
	s := of(connect.Kind(g.byte() % kinds))
	flags := g.byte()
	s.Optional = flags&1 != 0
	if flags&2 != 0 {
		g.names++
		s.Name = fmt.Sprintf("n-%d.N%d", g.names%3, g.names)
	}
	if flags&4 != 0 {
		s.Parameters, s.Doc, s.Version = []connect.Parameter{{Key: "k", Value: "é\""}}, "d\n", int(flags)
	}
	switch s.Kind {
	case connect.Array:
		s.Elem = g.schema(depth + 1)
	case connect.Map:
		s.Key, s.Elem = of(connect.String), g.schema(depth+1)
		if flags&8 != 0 {
			g.names++
			s.Name = fmt.Sprintf("M%d", g.names)
			s.Key = g.schema(depth + 1)
		}
	case connect.Struct:
		for i := range g.byte() % 5 {
			s.Fields = append(s.Fields, field(fmt.Sprintf("f-%d", i), g.schema(depth+1)))
		}
	default:
	}
	if flags&16 != 0 {
		v := g.value(s)
		s.Default = &v
	}
	return s
}

func (g *generator) value(s *connect.Schema) connect.Value {
	if s.Optional && g.byte()%3 == 0 {
		return null()
	}
	switch s.Kind {
	case connect.Boolean:
		return connect.Bool(g.byte()%2 == 1)
	case connect.Int8, connect.Int16, connect.Int32:
		return connect.Int(int64(int32(g.number())))
	case connect.Int64:
		return connect.Int(g.number())
	case connect.Float32:
		return connect.Float(float64(math.Float32frombits(uint32(g.number()))))
	case connect.Float64:
		return connect.Float(math.Float64frombits(uint64(g.number())))
	case connect.String:
		return text(g.text())
	case connect.Bytes:
		return raw(g.text())
	case connect.Struct:
		var fields []connect.Value
		for _, f := range s.Fields {
			fields = append(fields, g.value(f.Schema))
		}
		return list(fields...)
	case connect.Array:
		var items []connect.Value
		for range g.byte() % 4 {
			items = append(items, g.value(s.Elem))
		}
		return list(items...)
	case connect.Map:
		var entries []connect.Value
		for range g.byte() % 4 {
			entries = append(entries, g.value(s.Key), g.value(s.Elem))
		}
		return list(entries...)
	}
	panic("no such kind")
}

func (g *generator) text() string {
	n := min(int(g.byte()%16), len(g.input))
	b := g.input[:n]
	g.input = g.input[n:]
	return string(b)
}
