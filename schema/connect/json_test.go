package connect_test

import (
	"encoding/json"
	"math"
	"testing"

	"penstock/schema/connect"
)

func of(k connect.Kind) *connect.Schema { return &connect.Schema{Kind: k} }

func optional(k connect.Kind) *connect.Schema { return &connect.Schema{Kind: k, Optional: true} }

func text(s string) connect.Value { return connect.Text([]byte(s)) }

func list(items ...connect.Value) connect.Value { return connect.List(items) }

// Every text here is what Connect's own converter prints, but for null in a
// schema that takes it and has a default.
func TestAppendJSON(t *testing.T) {
	one := connect.Int(1)
	pair := &connect.Schema{Kind: connect.Struct, Fields: []connect.Field{
		{Name: "a", Schema: of(connect.Int32)}, {Name: `"b"`, Schema: optional(connect.String)},
	}}
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		value  connect.Value
		want   string
	}{
		{"true", of(connect.Boolean), connect.Bool(true), "true"},
		{"false", of(connect.Boolean), connect.Bool(false), "false"},
		{"the smallest int8", of(connect.Int8), connect.Int(math.MinInt8), "-128"},
		{"an int16", of(connect.Int16), connect.Int(300), "300"},
		{"the largest int64", of(connect.Int64), connect.Int(math.MaxInt64), "9223372036854775807"},
		{"a string", of(connect.String), text("é€<>&'\"\\\n"), `"é€<>&'\"\\\n"`},
		{"an empty string", of(connect.String), text(""), `""`},
		{"bytes", of(connect.Bytes), connect.Raw([]byte{1, 2, 255}), `"AQL/"`},
		{"no bytes", of(connect.Bytes), connect.Raw(nil), `""`},
		{
			"a decimal",
			&connect.Schema{Kind: connect.Bytes, Name: "org.apache.kafka.connect.data.Decimal", Parameters: []connect.Parameter{{Key: "scale", Value: "2"}}},
			connect.Raw([]byte{0xff, 0x6a}), `"/2o="`,
		},
		{"a number as it is", of(connect.String), connect.Value{Form: connect.FormNumber, Bytes: []byte("1e400")}, "1e400"},
		{"an array", &connect.Schema{Kind: connect.Array, Elem: optional(connect.Float32)}, list(connect.Float(1), connect.Value{}), "[1.0,null]"},
		{"an empty array", &connect.Schema{Kind: connect.Array, Elem: of(connect.Int8)}, list(), "[]"},
		{
			"a map of strings", &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: optional(connect.String)},
			list(text("k"), text("x"), text("l"), connect.Value{}), `{"k":"x","l":null}`,
		},
		{"an empty map", &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: of(connect.Int8)}, list(), "{}"},
		{
			"a map of numbers", &connect.Schema{Kind: connect.Map, Key: of(connect.Int32), Elem: optional(connect.String)},
			list(one, text("x"), connect.Int(2), connect.Value{}), `[[1,"x"],[2,null]]`,
		},
		{"a map of numbers without entries", &connect.Schema{Kind: connect.Map, Key: of(connect.Int32), Elem: of(connect.Int8)}, list(), "[]"},
		{"a struct", pair, list(one, connect.Value{}), `{"a":1,"\"b\"":null}`},
		{"an empty struct", of(connect.Struct), list(), "{}"},
		{"null", optional(connect.Struct), connect.Value{}, "null"},
		{"null where a default stands", &connect.Schema{Kind: connect.Int8, Default: &one}, connect.Value{}, "1"},
		{"null where both are allowed", &connect.Schema{Kind: connect.Int8, Default: &one, Optional: true}, connect.Value{}, "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(connect.AppendJSON([]byte("x"), c.schema, c.value)); got != "x"+c.want {
				t.Errorf("got %s, want x%s", got, c.want)
			}
		})
	}
}

// The texts are Java's: Double.toString and Float.toString.
func TestFloatsAreJavas(t *testing.T) {
	for _, c := range []struct {
		value float64
		want  string
	}{
		{0, "0.0"},
		{math.Copysign(0, -1), "-0.0"},
		{1, "1.0"},
		{-1.5, "-1.5"},
		{100, "100.0"},
		{9999999, "9999999.0"},
		{1e7, "1.0E7"},
		{-12345678.9, "-1.23456789E7"},
		{0.001, "0.001"},
		{9.99e-4, "9.99E-4"},
		{-5e-5, "-5.0E-5"},
		{1e22, "1.0E22"},
		{1e100, "1.0E100"},
		{123456789012345680, "1.2345678901234568E17"},
		{0.1 + 0.2000000000000001, "0.3000000000000001"},
		{math.SmallestNonzeroFloat64, "4.9E-324"},
		{math.MaxFloat64, "1.7976931348623157E308"},
		{math.NaN(), `"NaN"`},
		{math.Inf(1), `"Infinity"`},
		{math.Inf(-1), `"-Infinity"`},
	} {
		if got := string(connect.AppendJSON(nil, of(connect.Float64), connect.Float(c.value))); got != c.want {
			t.Errorf("double %g: got %s, want %s", c.value, got, c.want)
		}
	}
	for _, c := range []struct {
		value float32
		want  string
	}{
		{1.1, "1.1"},
		{0.001, "0.001"},
		{1e7, "1.0E7"},
		{16777216, "1.6777216E7"},
		{8.41e21, "8.41E21"},
		{math.MaxFloat32, "3.4028235E38"},
		{math.SmallestNonzeroFloat32, "1.4E-45"},
		{float32(math.NaN()), `"NaN"`},
	} {
		if got := string(connect.AppendJSON(nil, of(connect.Float32), connect.Float(float64(c.value)))); got != c.want {
			t.Errorf("float %g: got %s, want %s", c.value, got, c.want)
		}
	}
}

func TestAppendJSONPanicsOnWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		value  connect.Value
	}{
		{"a string for a number", of(connect.Int8), text("1")},
		{"a list for bytes", of(connect.Bytes), list()},
		{"null for what takes none", of(connect.String), connect.Value{}},
		{"null for what takes none, null by default", &connect.Schema{Kind: connect.String, Default: &connect.Value{}}, connect.Value{}},
		{"a struct without its fields", &connect.Schema{Kind: connect.Struct, Fields: []connect.Field{{Name: "a", Schema: of(connect.Int8)}}}, list()},
		{"a map with half an entry", &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: of(connect.Int8)}, list(text("k"))},
		{"a map with null for a key", &connect.Schema{Kind: connect.Map, Key: optional(connect.String), Elem: of(connect.Int8)}, list(connect.Value{}, connect.Int(1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("got no panic")
				}
			}()
			connect.AppendJSON(nil, c.schema, c.value)
		})
	}
}

func TestAppendJSONAllocatesNothing(t *testing.T) {
	schema, value := everything()
	wrapper := connect.NewWrapper(schema)
	buf := wrapper.Append(nil, value)
	if n := testing.AllocsPerRun(100, func() { buf = wrapper.Append(buf[:0], value) }); n != 0 {
		t.Errorf("got %g allocations, want 0", n)
	}
}

// everything has a field of each kind.
func everything() (*connect.Schema, connect.Value) {
	s := &connect.Schema{Kind: connect.Struct, Name: "everything"}
	v := connect.Value{Form: connect.FormList}
	for _, f := range []struct {
		schema *connect.Schema
		value  connect.Value
	}{
		{of(connect.Boolean), connect.Bool(true)},
		{of(connect.Int8), connect.Int(1)},
		{of(connect.Int16), connect.Int(2)},
		{of(connect.Int32), connect.Int(-3)},
		{of(connect.Int64), connect.Int(4e18)},
		{of(connect.Float32), connect.Float(1.5)},
		{of(connect.Float64), connect.Float(1e-9)},
		{of(connect.String), text("Grüße\n")},
		{of(connect.Bytes), connect.Raw([]byte("bytes"))},
		{optional(connect.String), connect.Value{}},
		{&connect.Schema{Kind: connect.Array, Elem: of(connect.Int32)}, list(connect.Int(1), connect.Int(2))},
		{&connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: of(connect.Int32)}, list(text("k"), connect.Int(2))},
		{&connect.Schema{Kind: connect.Map, Key: of(connect.Int32), Elem: of(connect.Int32)}, list(connect.Int(1), connect.Int(2))},
	} {
		s.Fields = append(s.Fields, connect.Field{Name: "of " + f.schema.Kind.String(), Schema: f.schema})
		v.List = append(v.List, f.value)
	}
	return s, v
}

func FuzzAppendJSON(f *testing.F) {
	f.Add(int64(1), 1.5, []byte("text"), []byte{0xff})
	f.Add(int64(math.MinInt64), math.Inf(-1), []byte("\x00\u2028\xed\xa0\x80\""), []byte{})
	f.Fuzz(func(t *testing.T, i int64, x float64, s, b []byte) {
		schema, value := everything()
		for n := range value.List {
			switch v := &value.List[n]; v.Form {
			case connect.FormInt:
				v.Int = i
			case connect.FormFloat:
				v.Float = x
			case connect.FormText:
				v.Bytes = s
			case connect.FormBytes:
				v.Bytes = b
			case connect.Null, connect.FormBool, connect.FormList, connect.FormNumber:
			}
		}
		schema.Name, schema.Doc = string(s), string(b)
		schema.Parameters = []connect.Parameter{{Key: string(b), Value: string(s)}}
		for _, got := range [][]byte{connect.AppendJSON(nil, schema, value), connect.NewWrapper(schema).Append(nil, value)} {
			if !json.Valid(got) {
				t.Errorf("not JSON: %s", got)
			}
		}
	})
}
