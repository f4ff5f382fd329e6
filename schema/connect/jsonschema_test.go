package connect_test

import (
	"testing"

	"penstock/schema/connect"
)

// The texts are what Connect's own converter prints.
func TestAppendSchema(t *testing.T) {
	field := func(name string, s connect.Schema) connect.Field { return connect.Field{Name: name, Schema: &s} }
	value := func(v connect.Value) *connect.Value { return &v }
	decimal := connect.Schema{
		Kind: connect.Bytes, Name: "org.apache.kafka.connect.data.Decimal", Version: 1,
		Parameters: []connect.Parameter{{Key: "scale", Value: "2"}, {Key: "connect.decimal.precision", Value: "5"}},
	}
	for _, c := range []struct {
		name   string
		schema connect.Schema
		field  string
		want   string
	}{
		{"a type alone", connect.Schema{Kind: connect.Int8}, "", `{"type":"int8","optional":false}`},
		{"as a field", connect.Schema{Kind: connect.Float64, Optional: true}, "f", `{"type":"double","optional":true,"field":"f"}`},
		{
			"a semantic type", decimal, "",
			`{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"5"}}`,
		},
		{
			"a map", connect.Schema{Kind: connect.Map, Optional: true, Key: of(connect.Int32), Elem: optional(connect.String)}, "",
			`{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"string","optional":true},"optional":true}`,
		},
		{"an empty struct", connect.Schema{Kind: connect.Struct}, "", `{"type":"struct","fields":[],"optional":false}`},
		{
			"a struct of everything",
			connect.Schema{
				Kind: connect.Struct, Optional: true, Name: "n", Version: 3, Doc: "d",
				Parameters: []connect.Parameter{{Key: "p", Value: "q"}, {Key: "o", Value: "r"}},
				Fields: []connect.Field{
					field("a", connect.Schema{Kind: connect.Int8, Default: value(connect.Int(3))}),
					field("b", connect.Schema{Kind: connect.Array, Optional: true, Elem: optional(connect.Float32)}),
					field("c", connect.Schema{Kind: connect.String, Optional: true, Default: value(text("x"))}),
					field("d", connect.Schema{Kind: connect.Bytes, Optional: true, Default: value(connect.Raw([]byte{1}))}),
					field("e", connect.Schema{Kind: connect.Int16, Optional: true}),
					field("f", decimal),
					field("g", connect.Schema{Kind: connect.Float64, Default: value(connect.Float(1))}),
					field("h", connect.Schema{Kind: connect.Boolean, Default: value(connect.Bool(true))}),
					field("i", connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: optional(connect.String)}),
				},
			}, "",
			`{"type":"struct","fields":[{"type":"int8","optional":false,"default":3,"field":"a"},` +
				`{"type":"array","items":{"type":"float","optional":true},"optional":true,"field":"b"},` +
				`{"type":"string","optional":true,"default":"x","field":"c"},{"type":"bytes","optional":true,"default":"AQ==","field":"d"},` +
				`{"type":"int16","optional":true,"field":"e"},{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal",` +
				`"version":1,"parameters":{"scale":"2","connect.decimal.precision":"5"},"field":"f"},` +
				`{"type":"double","optional":false,"default":1.0,"field":"g"},{"type":"boolean","optional":false,"default":true,"field":"h"},` +
				`{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":true},"optional":false,"field":"i"}],` +
				`"optional":true,"name":"n","version":3,"doc":"d","parameters":{"p":"q","o":"r"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(connect.AppendSchema(nil, &c.schema, c.field)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestWrapper(t *testing.T) {
	const want = `{"schema":{"type":"string","optional":true},"payload":`
	w := connect.NewWrapper(optional(connect.String))
	if got := string(w.Append(nil, text("a"))); got != want+`"a"}` {
		t.Errorf("got %s, want %s", got, want+`"a"}`)
	}
	if got := string(w.Append(nil, connect.Value{})); got != want+"null}" {
		t.Errorf("got %s, want %s", got, want+"null}")
	}
}
