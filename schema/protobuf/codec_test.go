package protobuf_test

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

func of(k connect.Kind) *connect.Schema { return &connect.Schema{Kind: k} }

func record(name string, fields ...connect.Field) *connect.Schema {
	return &connect.Schema{Kind: connect.Struct, Name: name, Fields: fields}
}

func column(name string, s *connect.Schema) connect.Field {
	return connect.Field{Name: name, Schema: s}
}

func decimal(scale, precision string) *connect.Schema {
	s := &connect.Schema{Kind: connect.Bytes, Name: decimalName, Version: 1, Parameters: []connect.Parameter{{Key: "scale", Value: scale}}}
	if precision != "" {
		s.Parameters = append(s.Parameters, connect.Parameter{Key: "connect.decimal.precision", Value: precision})
	}
	return s
}

// everyKind is a schema with a field of every kind, and an envelope around it.
func everyKind() (row, envelope *connect.Schema) {
	row = record("server.public.orders.Value",
		column("i8", of(connect.Int8)),
		column("i16", of(connect.Int16)),
		column("i32", of(connect.Int32)),
		column("i64", of(connect.Int64)),
		column("f32", of(connect.Float32)),
		column("f64", of(connect.Float64)),
		column("flag", of(connect.Boolean)),
		column("txt", of(connect.String)),
		column("raw", of(connect.Bytes)),
		column("amount", decimal("2", "12")),
		column("day", &connect.Schema{Kind: connect.Int32, Name: dateName}),
		column("at", &connect.Schema{Kind: connect.Int32, Name: timeName}),
		column("moment", &connect.Schema{Kind: connect.Int64, Name: timestampName}),
		column("micros", &connect.Schema{Kind: connect.Int64, Name: "io.debezium.time.MicroTimestamp"}),
		column("numbers", &connect.Schema{Kind: connect.Array, Elem: of(connect.Int16)}),
		column("words", &connect.Schema{Kind: connect.Array, Elem: of(connect.String)}),
		column("amounts", &connect.Schema{Kind: connect.Array, Elem: decimal("0", "")}),
		column("doubles", &connect.Schema{Kind: connect.Array, Elem: of(connect.Float64)}),
		column("attrs", &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: of(connect.String)}),
		column("point", record("io.debezium.data.geometry.Point", column("x", of(connect.Float64)), column("wkb", of(connect.Bytes)))),
	)
	row.Optional = true
	envelope = record("server.public.orders.Envelope",
		column("before", row), column("after", row), column("op", of(connect.String)))
	return row, envelope
}

func TestSchema(t *testing.T) {
	_, envelope := everyKind()
	const want = `syntax = "proto3";
package server.public.orders;

import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "google/protobuf/timestamp.proto";

message Envelope {
  Value before = 1;
  Value after = 2;
  string op = 3;

  message Value {
    optional int32 i8 = 1 [(confluent.field_meta) = {
      params: [
        {
          key: "connect.type",
          value: "int8"
        }
      ]
    }];
    optional int32 i16 = 2 [(confluent.field_meta) = {
      params: [
        {
          key: "connect.type",
          value: "int16"
        }
      ]
    }];
    optional int32 i32 = 3;
    optional int64 i64 = 4;
    optional float f32 = 5;
    optional double f64 = 6;
    optional bool flag = 7;
    optional string txt = 8;
    optional bytes raw = 9;
    confluent.type.Decimal amount = 10 [(confluent.field_meta) = {
      params: [
        {
          value: "12",
          key: "precision"
        },
        {
          value: "2",
          key: "scale"
        }
      ]
    }];
    google.type.Date day = 11;
    google.type.TimeOfDay at = 12;
    google.protobuf.Timestamp moment = 13;
    optional int64 micros = 14;
    repeated int32 numbers = 15 [(confluent.field_meta) = {
      params: [
        {
          key: "connect.type",
          value: "int16"
        }
      ]
    }];
    repeated string words = 16;
    repeated confluent.type.Decimal amounts = 17 [(confluent.field_meta) = {
      params: [
        {
          value: "0",
          key: "scale"
        }
      ]
    }];
    repeated double doubles = 18;
    repeated ConnectDefault1Entry attrs = 19;
    Point point = 20;

    message ConnectDefault1Entry {
      string key = 1;
      string value = 2;
    }
    message Point {
      optional double x = 1;
      optional bytes wkb = 2;
    }
  }
}
`
	c := compile(t, envelope)
	if got := c.Schema(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := c.MessageIndexes(); !slices.Equal(got, []int{0}) {
		t.Errorf("got indexes %v, want the first message", got)
	}
	var names []string
	for _, r := range c.References() {
		names = append(names, r.Name)
		if builtIn := strings.HasPrefix(r.Name, "google/protobuf/"); builtIn != (r.Text == "") {
			t.Errorf("%s comes with the text %q", r.Name, r.Text)
		}
	}
	if !slices.Equal(names, []string{"confluent/meta.proto", "confluent/type/decimal.proto", "google/type/date.proto", "google/type/timeofday.proto", "google/protobuf/timestamp.proto"}) {
		t.Errorf("got references %q", names)
	}
}

func TestRoundTrip(t *testing.T) {
	row, envelope := everyKind()
	big100 := raw(new(big.Int).Exp(big.NewInt(-7), big.NewInt(100), nil))
	full := connect.List([]connect.Value{
		connect.Int(-128), connect.Int(32767), connect.Int(math.MinInt32), connect.Int(math.MaxInt64),
		connect.Float(1.5), connect.Float(math.Inf(-1)), connect.Bool(true),
		connect.Text([]byte("grüße 😀\x00")), connect.Raw([]byte{0, 0xFF, 0x80}),
		connect.Raw(big100), connect.Int(20_000), connect.Int(45_296_789), connect.Int(-1), connect.Int(1_756_138_420_436_907),
		connect.List([]connect.Value{connect.Int(-1), connect.Int(0), connect.Int(300)}),
		connect.List([]connect.Value{connect.Text(nil), connect.Text(bytes.Repeat([]byte("long "), 60))}),
		connect.List([]connect.Value{connect.Raw([]byte{0}), connect.Raw([]byte{0x80})}),
		connect.List([]connect.Value{connect.Float(math.NaN()), connect.Float(math.Copysign(0, -1))}),
		connect.List([]connect.Value{connect.Text([]byte("a")), connect.Text([]byte("1")), connect.Text([]byte("b")), {}}),
		connect.List([]connect.Value{connect.Float(2), connect.Raw(bytes.Repeat([]byte{7}, 20_000))}),
	})
	zero := connect.List([]connect.Value{
		connect.Int(0), connect.Int(0), connect.Int(0), connect.Int(0), connect.Float(0), connect.Float(0), connect.Bool(false),
		connect.Text(nil), connect.Raw(nil), connect.Raw(nil), connect.Int(0), connect.Int(0), connect.Int(0), connect.Int(0),
		connect.List(nil), connect.List(nil), connect.List(nil), connect.List(nil), connect.List(nil),
		connect.List([]connect.Value{connect.Float(0), connect.Raw(nil)}),
	})
	nulls := connect.List(make([]connect.Value, len(row.Fields)))
	for _, c := range []struct {
		name          string
		before, after connect.Value
	}{
		{"everything, after nothing", connect.Value{}, full},
		{"zeros, after everything", full, zero},
		{"nulls, after zeros", zero, nulls},
		{"no row at all", connect.Value{}, connect.Value{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := connect.List([]connect.Value{c.before, c.after, connect.Text([]byte("u"))})
			m := decode(t, compile(t, envelope), value)
			same(t, "Envelope", []*connect.Schema{row, row, of(connect.String)}, value.List, m)
		})
	}
}

// A short row, and values of the wrong form, are written as zeros.
func TestAppendIsTotal(t *testing.T) {
	row, _ := everyKind()
	c := compile(t, row)
	for form := connect.Null; form <= connect.FormNumber; form++ {
		values := make([]connect.Value, len(row.Fields)+3)
		for i := range values {
			values[i] = connect.Value{Form: form}
		}
		for n := range values {
			decode(t, c, connect.List(values[:n]))
		}
		c.Append(nil, connect.Value{Form: form})
	}
	odd := connect.Value{Form: connect.FormList, List: []connect.Value{connect.Text([]byte("key without value"))}}
	values := make([]connect.Value, len(row.Fields))
	for i := range values {
		values[i] = odd
	}
	decode(t, c, connect.List(values))
}

// TestNullsAreNoZeros: a reader can tell a null from the zero and from the default, in every kind.
func TestNullsAreNoZeros(t *testing.T) {
	row, _ := everyKind()
	zeros := map[connect.Form]connect.Value{
		connect.FormBool: connect.Bool(false), connect.FormInt: connect.Int(0), connect.FormFloat: connect.Float(0),
		connect.FormText: connect.Text(nil), connect.FormBytes: connect.Raw(nil), connect.FormList: connect.List(nil),
	}
	for _, defaulted := range []bool{false, true} {
		s := record("R")
		var zero, null []connect.Value
		for _, f := range row.Fields {
			if f.Schema.Kind == connect.Array || f.Schema.Kind == connect.Map {
				continue // a null one reads as empty
			}
			nullable, value := *f.Schema, zeros[f.Schema.Kind.Form()]
			if nullable.Optional = true; defaulted {
				nullable.Default = &value
			}
			s.Fields = append(s.Fields, column(f.Name, &nullable))
			zero, null = append(zero, value), append(null, connect.Value{})
		}
		c := compile(t, s)
		zeroed, missing := decode(t, c, connect.List(zero)), decode(t, c, connect.List(null))
		for i := range s.Fields {
			there := func(m protoreflect.Message) bool { return m.Has(m.Descriptor().Fields().Get(i)) }
			if !there(zeroed) || there(missing) {
				t.Errorf("%s, default %t: the zero is there: %t, the null is there: %t", s.Fields[i].Name, defaulted, there(zeroed), there(missing))
			}
		}
	}
	entries := compile(t, record("R", column("m", &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: &connect.Schema{Kind: connect.String, Optional: true}})))
	m := decode(t, entries, connect.List([]connect.Value{connect.List([]connect.Value{connect.Text([]byte("a")), {}, connect.Text([]byte("b")), connect.Text(nil)})}))
	list := m.Get(m.Descriptor().Fields().Get(0)).List()
	for i, want := range []bool{false, true} {
		entry := list.Get(i).Message()
		if got := entry.Has(entry.Descriptor().Fields().Get(1)); got != want {
			t.Errorf("value %d of the map is there: %t, want %t", i, got, want)
		}
	}
}

// TestNullsWhereNoneMayBe, in old rows, and in lists.
func TestNullsWhereNoneMayBe(t *testing.T) {
	def := connect.Int(7)
	s := record("R",
		column("a", &connect.Schema{Kind: connect.Int32, Default: &def}),
		column("b", of(connect.Int32)),
		column("c", &connect.Schema{Kind: connect.Array, Elem: of(connect.String)}),
		column("d", &connect.Schema{Kind: connect.Array, Elem: record("D", column("x", of(connect.Int64)))}),
		column("e", &connect.Schema{Kind: connect.Array, Elem: of(connect.Int32)}),
	)
	got := compile(t, s).Append(nil, connect.List([]connect.Value{
		{}, {},
		connect.List([]connect.Value{{}, connect.Text([]byte("x"))}),
		connect.List([]connect.Value{{}}),
		connect.List([]connect.Value{{}, connect.Int(1)}),
	}))
	want := []byte{1 << 3, 7, 3<<3 | 2, 0, 3<<3 | 2, 1, 'x', 4<<3 | 2, 0, 5<<3 | 2, 2, 0, 1}
	if !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	if got := compile(t, s).Append(nil, connect.Value{}); len(got) != 0 {
		t.Errorf("got % x for a null, want nothing", got)
	}
}

func TestTextIsUTF8(t *testing.T) {
	c := compile(t, record("R", column("a", of(connect.String)), column("b", &connect.Schema{Kind: connect.Array, Elem: of(connect.String)})))
	long := bytes.Repeat([]byte{0xFF}, 50) // three bytes each: the length moves the text
	m := decode(t, c, connect.List([]connect.Value{connect.Text([]byte("a\xE4b")), connect.List([]connect.Value{connect.Text(long)})}))
	fields := m.Descriptor().Fields()
	if got, want := m.Get(fields.Get(0)).String(), "a\uFFFDb"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := m.Get(fields.Get(1)).List().Get(0).String(), strings.Repeat("\uFFFD", 50); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScalarRecords(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  connect.Kind
		value connect.Value
		want  proto.Message
		index int
	}{
		{"float64", connect.Float64, connect.Float(1.5), wrapperspb.Double(1.5), 0},
		{"float32", connect.Float32, connect.Float(2.5), wrapperspb.Float(2.5), 1},
		{"int64", connect.Int64, connect.Int(-1), wrapperspb.Int64(-1), 2},
		{"int32", connect.Int32, connect.Int(5), wrapperspb.Int32(5), 4},
		{"int8", connect.Int8, connect.Int(-5), wrapperspb.Int32(-5), 4},
		{"boolean", connect.Boolean, connect.Bool(true), wrapperspb.Bool(true), 6},
		{"string", connect.String, connect.Text([]byte("key")), wrapperspb.String("key"), 7},
		{"empty string", connect.String, connect.Text(nil), wrapperspb.String(""), 7},
		{"bytes", connect.Bytes, connect.Raw([]byte{1}), wrapperspb.Bytes([]byte{1}), 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := compile(t, of(c.kind))
			want, err := proto.Marshal(c.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := codec.Append(nil, c.value); !bytes.Equal(got, want) {
				t.Errorf("got % x, want % x", got, want)
			}
			if got := codec.MessageIndexes(); !slices.Equal(got, []int{c.index}) {
				t.Errorf("got %v, want %d", got, c.index)
			}
			file := parseProto(t, "wrappers.proto", codec.Schema())
			if got, want := file.GetMessageType()[c.index].GetName(), string(c.want.ProtoReflect().Descriptor().Name()); got != want {
				t.Errorf("got message %s, want %s", got, want)
			}
			if codec.Append(nil, connect.Value{}) != nil || len(codec.References()) != 0 {
				t.Error("a null is something, or the file imports another")
			}
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	_, envelope := everyKind()
	c := compile(t, envelope)
	row := connect.List([]connect.Value{
		connect.Int(1), connect.Int(2), connect.Int(3), connect.Int(4), connect.Float(5), connect.Float(6), connect.Bool(true),
		connect.Text([]byte("a text\xFF")), connect.Raw(bytes.Repeat([]byte{1}, 300)), connect.Raw([]byte("a long unscaled value")),
		connect.Int(-200_000), connect.Int(1), connect.Int(2), connect.Int(3),
		connect.List([]connect.Value{connect.Int(1)}), connect.List([]connect.Value{connect.Text([]byte("x"))}),
		connect.List([]connect.Value{connect.Raw([]byte{1})}), connect.List([]connect.Value{connect.Float(1)}),
		connect.List([]connect.Value{connect.Text([]byte("k")), connect.Text([]byte("v"))}),
		connect.List([]connect.Value{connect.Float(1), connect.Raw([]byte{1})}),
	})
	value := connect.List([]connect.Value{row, row, connect.Text([]byte("u"))})
	var dst []byte
	if n := testing.AllocsPerRun(100, func() { dst = c.Append(dst[:0], value) }); n != 0 {
		t.Errorf("got %v allocations a row, want none", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	row, envelope := everyKind()
	c, err := protobuf.Compile(envelope)
	if err != nil {
		b.Fatal(err)
	}
	values := make([]connect.Value, len(row.Fields))
	for i := range 14 {
		values[i] = connect.Value{Form: connect.FormInt, Int: 12345, Float: 1, Bytes: []byte("12345678")}
	}
	value := connect.List([]connect.Value{{}, connect.List(values), connect.Text([]byte("c"))})
	var dst []byte
	for b.Loop() {
		dst = c.Append(dst[:0], value)
	}
	b.SetBytes(int64(len(dst)))
}

func compile(t testing.TB, s *connect.Schema) *protobuf.Codec {
	t.Helper()
	c, err := protobuf.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
