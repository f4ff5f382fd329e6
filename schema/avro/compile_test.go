package avro_test

import (
	"math"
	"strings"
	"testing"

	"penstock/schema/avro"
	"penstock/schema/connect"
)

func TestNamesAreAdjustedAsDebeziumDoes(t *testing.T) {
	for _, c := range []struct{ name, schema, field, wantSchema, wantField string }{
		{"plain", "s.public.T", "col_1", `"name":"T","namespace":"s.public"`, `"name":"col_1"`},
		{"dash and space", "my-srv.public.or ders.Value", "a b", `"name":"Value","namespace":"my_srv.public.or_ders"`, `"name":"a_b"`},
		{"dollar", "s.a$.T", "a$", `"namespace":"s.a_"`, `"name":"a_"`},
		{"leading digit", "1s.T", "2nd", `"namespace":"_1s"`, `"name":"_2nd"`},
		{"dot in a column", "s.T", "a.b", `"namespace":"s"`, `"name":"a_b"`},
		{"leading dot", ".T", ".b", `"name":"_T"`, `"name":"_b"`},
		{"letters that are not ASCII", "s.größe.T", "größe", `"namespace":"s.gr__e"`, `"name":"gr__e"`},
		{"emoji is two of Java's characters", "s.T🌱", "🌱", `"name":"T__"`, `"name":"__"`},
		{"digit that is not ASCII", "s.T", "٣x", `"name":"T"`, `"name":"_x"`},
		{"not UTF-8", "s.T\xff", "\xff\xfe", `"name":"T_"`, `"name":"__"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compile(t, structOf(c.schema, field(c.field, of(connect.Int32)))).Schema()
			if !strings.Contains(got, c.wantSchema) || !strings.Contains(got, c.wantField+`,"type"`) {
				t.Errorf("got %s\nwant %s and %s", got, c.wantSchema, c.wantField)
			}
		})
	}
}

// TestNamesThatBecomeOneStayApart, each with its value, whatever is added after them.
func TestNamesThatBecomeOneStayApart(t *testing.T) {
	columns := []string{"a-b", "a_b", "a b", "🌱", "__"}
	want := []string{"a_b", "a_b_648fa9b3", "a_b_c8687a08", "__", "___9911f4d2"}
	for n := range columns {
		s := structOf("t.T")
		var values []connect.Value
		for i, name := range columns[:n+1] {
			s.Fields = append(s.Fields, field(name, of(connect.Int32)))
			values = append(values, connect.Int(int64(i)))
		}
		c := compile(t, s)
		for _, name := range want[:n+1] {
			if !strings.Contains(c.Schema(), `{"name":"`+name+`","type":"int"}`) {
				t.Errorf("%d columns: no field %s in %s", n+1, name, c.Schema())
			}
		}
		exchange(t, c, reader(t, c), s, list(values...))
	}
}

func TestConnectNameIsTheAdjustedOne(t *testing.T) {
	got := compile(t, structOf("my-srv.T", field("n", of(connect.Int32)))).Schema()
	if !strings.Contains(got, `"connect.name":"my_srv.T"`) {
		t.Errorf("got %s", got)
	}
}

func TestCompileRefuses(t *testing.T) {
	i32, txt := of(connect.Int32), of(connect.String)
	const data = "org.apache.kafka.connect.data."
	deep := i32
	for range 200 {
		deep = array(deep)
	}
	cycle := array(nil)
	cycle.Elem = cycle
	double := array(i32)
	for range 40 {
		double = mapOf(of(connect.Int32), double)
	}
	growing := of(connect.String)
	growing.Doc = strings.Repeat("x", 1000)
	for range 30 {
		growing = mapOf(growing, growing)
	}
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		want   []string
	}{
		{"two equal fields", structOf("t.T", field("a", i32), field("a", i32)), []string{`t.T: two fields have the name "a"`}},
		{"two schemas that become one", structOf("t.T", field("x", structOf("a-b.C", field("n", i32))), field("y", structOf("a_b.C", field("n", i32)))),
			[]string{"field y of the schema t.T", `"a-b.C" and "a_b.C" are both a_b.C`}},
		{"a name with other fields", structOf("t.T", field("x", structOf("a.C", field("n", i32))), field("y", array(structOf("a.C", field("n", txt))))),
			[]string{"field y of", "a.C comes again with other fields"}},
		{"a name with other fields within itself", structOf("a.C", field("x", structOf("a.C", field("n", i32)))), []string{"field x of", "a.C comes again"}},
		{"two maps with other keys", structOf("t.T", field("x", mapOf(i32, i32)), field("y", mapOf(i32, txt))), []string{"MapEntry comes again"}},
		{"a field without name", structOf("t.T", field("", i32)), []string{"field 1 of t.T has no name"}},
		{"an empty part of a name", structOf("t..T", field("a", i32)), []string{`"t..T" has an empty part`}},
		{"a name that begins with a digit", structOf("t.1", field("a", i32)), []string{`"t.1" begins with a digit`}},
		{"an array of nothing", array(nil), []string{"missing"}},
		{"a field of nothing", structOf("t.T", field("a", nil)), []string{"missing"}},
		{"a map without keys", mapOf(nil, i32), []string{"missing"}},
		{"nothing", nil, []string{"missing"}},
		{"an unknown kind", of(connect.Struct + 1), []string{"kind 12"}},
		{"too deep", deep, []string{"deeper than 100"}},
		{"endless", cycle, []string{"deeper than 100"}},
		{"maps of maps with other keys", double, []string{"MapEntry comes again"}},
		{"too long", structOf("t.T", field("a", &connect.Schema{Kind: connect.String, Doc: strings.Repeat("x", 5<<20)}), field("b", i32)), []string{"longer than"}},
		{"grows with every level", growing, []string{"MapEntry comes again"}},
		{"a default of another type", defaulted(i32, text("1")), []string{"does not fit"}},
		{"a default with too few fields", defaulted(structOf("t.T", field("a", i32)), list()), []string{"does not fit"}},
		{"a Decimal without scale", named(connect.Bytes, data+"Decimal", 1), []string{"scale"}},
		{"a Decimal of text", named(connect.String, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "1"}), []string{"is of type bytes"}},
		{"a Decimal of no digits", named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "0"}, connect.Parameter{Key: "connect.decimal.precision", Value: "0"}), []string{"no digits"}},
		{"a Date of int64", named(connect.Int64, data+"Date", 1), []string{"is of type int32"}},
		{"a union", structOf("io.confluent.connect.avro.Union", field("a", i32)), []string{"union"}},
		{"a fixed type", named(connect.Bytes, "f", 0, connect.Parameter{Key: "connect.fixed.size", Value: "4"}), []string{"fixed size"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := avro.Compile(c.schema)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

// A schema that comes twice in every level is 2^n long if it is written each time.
func TestSharedSchemasAreNamedOnce(t *testing.T) {
	s := structOf("t.L0", field("n", of(connect.Int32)))
	nameless, entries := structOf("", field("n", of(connect.Int32))), of(connect.Int32)
	for i := range 50 {
		entries = mapOf(entries, entries)
		entries.Name = "t.M" + strings.Repeat("1", i)
		s = structOf("t.L"+strings.Repeat("1", i+1), field("a", s), field("b", optional(s)))
		nameless = structOf("", field("a", nameless), field("b", optional(nameless)))
	}
	for _, s := range []*connect.Schema{s, nameless, entries} {
		if got := compile(t, s).Schema(); len(got) > 20_000 {
			t.Errorf("the schema has %d bytes", len(got))
		}
	}
}

func TestDefaultsThatNotEveryReaderTakesAreKeptApart(t *testing.T) {
	inner := structOf("t.U", field("n", of(connect.Int32)))
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		want   string // how the field ends
	}{
		{"not a number", defaulted(of(connect.Float64), connect.Float(math.NaN())), `{"name":"f","type":{"type":"double","connect.default":"NaN"}}`},
		{"of an optional struct", optional(defaulted(inner, list(connect.Int(1)))), `"connect.default":{"n":1},"connect.name":"t.U"}]}`},
		{"of a struct", defaulted(inner, list(connect.Int(1))), `"connect.name":"t.U"},"default":{"n":1}}`},
		{"items that are null", defaulted(array(optional(of(connect.Int32))), list(null())), `"connect.default":[null]},"default":[null]}`},
		{"items that may be null", defaulted(array(optional(of(connect.Int32))), list(connect.Int(1))), `"connect.default":[1]}}`},
		{"other keys", defaulted(mapOf(of(connect.Int32), of(connect.Int32)), list(connect.Int(1), connect.Int(2))), `"connect.default":[[1,2]]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := structOf("t.T", field("f", c.schema))
			codec := compile(t, s)
			if got := codec.Schema(); !strings.Contains(got, c.want+`],"connect.name":"t.T"}`) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			exchange(t, codec, reader(t, codec), s, list(*c.schema.Default))
		})
	}
}
