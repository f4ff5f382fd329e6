package protobuf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

// A schema and a row of any shape come back as they were.
func FuzzRoundTrip(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, seed%5 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, nulls bool) {
		r := &random{Rand: rand.New(rand.NewPCG(seed, 1)), nulls: nulls}
		s := r.structure(3)
		s.Name = "fuzz.public.Root"
		c := compile(t, s)
		v := r.value(s)
		schemas := make([]*connect.Schema, len(s.Fields))
		for i := range s.Fields {
			schemas[i] = s.Fields[i].Schema
		}
		same(t, "Root", schemas, v.List, decode(t, c, v))
	})
}

// Any name compiles to a schema that can be read, or is an error.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"", ".", "a.b", "é", "1", "_", "a-b", `"`, "\xFF", "message", "google", "ConnectDefault1", "T"} {
		f.Add(name, "a", "a_b", true)
		f.Add("p.R", name, name+"_", false)
		f.Add("google."+name+".R", name+".", "."+name, true)
	}
	f.Fuzz(func(t *testing.T, schema, first, second string, mapped bool) {
		inner := record(second, column(first, of(connect.Int32)))
		if mapped {
			inner = &connect.Schema{Kind: connect.Map, Name: second, Key: of(connect.String), Elem: record(first)}
		}
		c, err := protobuf.Compile(record(schema, column(first, of(connect.String)), column(second, inner), column("m", &connect.Schema{Kind: connect.Int64, Name: timestampName})))
		if err != nil {
			return
		}
		parseProto(t, "record.proto", c.Schema())
		c.Append(nil, connect.List([]connect.Value{connect.Text([]byte(schema)), connect.List([]connect.Value{connect.Text([]byte(first)), connect.List(nil)})}))
	})
}

// random makes schemas and values of them.
type random struct {
	*rand.Rand
	nulls bool
	names int
}

func (r *random) structure(depth int) *connect.Schema {
	r.names++
	s := record(fmt.Sprintf("fuzz.T%dx", r.names))
	if r.IntN(4) == 0 && depth < 3 {
		s.Name = ""
	}
	for i := range r.IntN(6) {
		s.Fields = append(s.Fields, column(fmt.Sprintf("f%d", i), r.schema(depth)))
	}
	return s
}

func (r *random) schema(depth int) *connect.Schema {
	switch n := r.IntN(22); {
	case n < 9:
		s := of(connect.Kind(n))
		if r.IntN(5) == 0 {
			def := r.value(s)
			s.Default = &def
		}
		return s
	case n == 9:
		return decimal(fmt.Sprint(r.IntN(20)-5), "")
	case n == 10:
		return &connect.Schema{Kind: connect.Int32, Name: dateName}
	case n == 11:
		return &connect.Schema{Kind: connect.Int32, Name: timeName}
	case n == 12:
		return &connect.Schema{Kind: connect.Int64, Name: timestampName}
	case depth == 0:
		return of(connect.String)
	case n < 16:
		elem := r.schema(depth - 1)
		elem.Default = nil
		return &connect.Schema{Kind: connect.Array, Elem: elem}
	case n < 19:
		value := r.schema(depth - 1)
		value.Default = nil
		return &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: value}
	}
	return r.structure(depth - 1)
}

func (r *random) value(s *connect.Schema) connect.Value {
	if r.nulls && r.IntN(3) == 0 && s.Name != "fuzz.public.Root" {
		return connect.Value{}
	}
	switch s.Kind {
	case connect.Boolean:
		return connect.Bool(r.IntN(2) == 0)
	case connect.Int8:
		return connect.Int(int64(int8(r.Uint64())))
	case connect.Int16:
		return connect.Int(int64(int16(r.Uint64())))
	case connect.Int32:
		if s.Name == timeName {
			return connect.Int(r.Int64N(86_400_000))
		}
		return connect.Int(int64(int32(r.Uint64()>>r.IntN(32))) >> 10) // a million days at most: wantDate walks
	case connect.Int64:
		return connect.Int(int64(r.Uint64()) >> r.IntN(64))
	case connect.Float32:
		return connect.Float(float64(math.Float32frombits(r.Uint32() >> r.IntN(32))))
	case connect.Float64:
		return connect.Float(math.Float64frombits(r.Uint64() >> r.IntN(64)))
	case connect.String:
		return connect.Text(r.bytes())
	case connect.Bytes:
		return connect.Raw(r.bytes())
	case connect.Struct:
		values := make([]connect.Value, len(s.Fields))
		for i := range s.Fields {
			values[i] = r.value(s.Fields[i].Schema)
		}
		return connect.List(values)
	}
	values := make([]connect.Value, 0, 8)
	for range r.IntN(5) {
		if s.Kind == connect.Map {
			values = append(values, connect.Text(r.bytes()))
		}
		values = append(values, r.value(s.Elem))
	}
	return connect.List(values)
}

func (r *random) bytes() []byte {
	b := make([]byte, r.IntN(20)*r.IntN(20))
	for i := range b {
		b[i] = byte(r.Uint32() >> r.IntN(8))
	}
	return b
}
