package protobuf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

// What becomes of a column's name.
func TestNames(t *testing.T) {
	for _, c := range []struct{ name, column, want string }{
		{"an identifier", "user_id", "user_id"},
		{"an identifier with an underscore first", "__deleted", "__deleted"},
		{"capitals", "ID", "ID"},
		{"a keyword", "message", "message"},
		{"a type's name", "string", "string"},
		{"a hyphen", "my-col", "my_col"},
		{"a dot", "a.b*c", "a_b_c"},
		{"a blank", "a b", "a_b"},
		{"a quote", `a"b`, "a_22b"},
		{"a line break", "a\nb", "a_0Ab"},
		{"a leading digit", "1a", "x1a"},
		{"a leading underscore and a blank", "_x y", "x_x_y"},
		{"a letter beyond ASCII", "é", "_C3_A9"},
		{"an emoji", "😀", "_F0_9F_98_80"},
		{"not UTF-8", "a\xFF", "a_EF_BF_BD"},
		{"nothing", "", "_"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, compile(t, record("R", column(c.column, of(connect.Int64)))))
			if got := string(m.Fields().Get(0).Name()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What becomes of a schema's name, and of the names in it.
func TestMessageNames(t *testing.T) {
	deep := func(name string) *connect.Schema { return record(name, column("x", of(connect.Int32))) }
	mapped := func(name string) *connect.Schema {
		return &connect.Schema{Kind: connect.Map, Name: name, Key: of(connect.String), Elem: deep("")}
	}
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		want   string   // the message's full name
		fields []string // the full names of its fields' messages
	}{
		{"a package", deep("s.public.t.Key"), "s.public.t.Key", []string{""}},
		{"no package", deep("Key"), "Key", []string{""}},
		{"no name", deep(""), "ConnectDefault1", []string{""}},
		{"odd parts", deep("my-server.öffentlich.1.2.Key"), "my_server._C3_B6ffentlich.x1.x2.Key", []string{""}},
		{"empty parts", deep(".a..Key."), "_.a._.Key._", []string{""}},
		{"no name within one", record("", column("a", deep("")), column("b", deep(""))), "ConnectDefault1",
			[]string{"ConnectDefault1.ConnectDefault2", "ConnectDefault1.ConnectDefault3"}},
		{"a type named as its field", record("R", column("a", deep("x.a"))), "R", []string{"R.aMessage"}},
		{"maps", record("R", column("a", mapped("")), column("b", mapped("my_Map")), column("c", mapped("Map")), column("d", mapped("_1"))), "R",
			[]string{"R.ConnectDefault1Entry", "R.MyMapEntry", "R.MapEntry", "R.x1Entry"}},
		{"a type and its equal", record("R", column("a", deep("x.T")), column("b", deep("y.T"))), "R", []string{"R.T", "R.T"}},
		{"equals with nameless ones within", record("R", column("a", record("T", column("n", deep("")))), column("b", record("T", column("n", deep(""))))), "R",
			[]string{"R.T", "R.T"}},
		{"a type that is a keyword", record("R", column("a", deep("message"))), "R", []string{"R.message"}},
		{"a type that is a scalar's name", record("p.R", column("a", deep("string"))), "p.R", []string{"p.R.string"}},
		{"a package that hides google", record("a.google.R", column("a", &connect.Schema{Kind: connect.Int64, Name: timestampName})), "a.google.R",
			[]string{"google.protobuf.Timestamp"}},
		{"a package of google", record("google.a.R", column("a", &connect.Schema{Kind: connect.Int64, Name: timestampName})), "google.a.R",
			[]string{"google.protobuf.Timestamp"}},
		{"a message that hides confluent", record("confluent", column("a", decimal("1", ""))), "confluent", []string{"confluent.type.Decimal"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "a message that hides confluent" { // the file's own name is then another file's package
				text := compile(t, c.schema).Schema()
				if !strings.Contains(text, "  .confluent.type.Decimal a = 1 [(.confluent.field_meta) = {\n") {
					t.Errorf("got\n%s", text)
				}
				return
			}
			m := load(t, compile(t, c.schema))
			if got := string(m.FullName()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			for i, want := range c.fields {
				f := m.Fields().Get(i)
				got := ""
				if f.Message() != nil {
					got = string(f.Message().FullName())
				}
				if got != want {
					t.Errorf("field %s: got message %q, want %q", f.Name(), got, want)
				}
			}
		})
	}
}

// TestNamesThatBecomeOneStayApart, each with its value, whatever is added after them.
func TestNamesThatBecomeOneStayApart(t *testing.T) {
	columns := []string{"a-b", "a_b", "a b", "userId", "user_id", "😀", "_F0_9F_98_80"}
	want := []string{"a_b", "a_b_648fa9b3", "a_b_c8687a08", "userId", "user_id_f89d6b69", "_F0_9F_98_80", "_F0_9F_98_80_878233a2"}
	for n := range columns {
		s := record("R")
		var schemas []*connect.Schema
		var values []connect.Value
		for i, name := range columns[:n+1] {
			s.Fields = append(s.Fields, column(name, of(connect.Int32)))
			schemas = append(schemas, s.Fields[i].Schema)
			values = append(values, connect.Int(int64(i)))
		}
		m := decode(t, compile(t, s), connect.List(values))
		same(t, "R", schemas, values, m)
		for i, name := range want[:n+1] {
			if got := string(m.Descriptor().Fields().Get(i).Name()); got != name {
				t.Errorf("%d columns: %s is %s, want %s", n+1, columns[i], got, name)
			}
		}
	}
}

// TestTypesThatHaveAColumnsName get another, before and after it.
func TestTypesThatHaveAColumnsName(t *testing.T) {
	lists := &connect.Schema{Kind: connect.Array, Elem: &connect.Schema{Kind: connect.Array, Elem: of(connect.Int32)}}
	m := load(t, compile(t, record("R", column("a", record("x.T")), column("T", of(connect.Int8)), column("b", record("x.T")), column("bItem", lists),
		column("bItemItem", of(connect.Int8)))))
	var got []string
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); f.Message() != nil {
			got = append(got, string(f.Name())+" "+string(f.Message().FullName()))
		}
	}
	if want := []string{"a R.TMessage", "b R.TMessage", "bItem R.bItemItemMessage"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestArraysOfLists(t *testing.T) {
	pairs := &connect.Schema{Kind: connect.Map, Key: of(connect.String), Elem: of(connect.Int64)}
	c := compile(t, record("p.R",
		column("matrix", &connect.Schema{Kind: connect.Array, Elem: &connect.Schema{Kind: connect.Array, Elem: of(connect.Int16)}}),
		column("bags", &connect.Schema{Kind: connect.Array, Elem: pairs})))
	const want = `
message R {
  repeated matrixItem matrix = 1;
  repeated bagsItem bags = 2;

  message matrixItem {
    repeated int32 items = 1 [(confluent.field_meta) = {
      params: [
        {
          key: "connect.type",
          value: "int16"
        }
      ]
    }];
  }
  message bagsItem {
    repeated ConnectDefault1Entry items = 1;

    message ConnectDefault1Entry {
      string key = 1;
      int64 value = 2;
    }
  }
}
`
	if got := c.Schema(); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	row := func(n ...int64) connect.Value {
		var items []connect.Value
		for _, i := range n {
			items = append(items, connect.Int(i))
		}
		return connect.List(items)
	}
	bag := connect.List([]connect.Value{connect.Text([]byte("k")), connect.Int(3)})
	got := c.Append(nil, connect.List([]connect.Value{
		connect.List([]connect.Value{row(1, 2), {}, row()}), connect.List([]connect.Value{bag}),
	}))
	bytes := []byte{1<<3 | 2, 4, 1<<3 | 2, 2, 1, 2, 1<<3 | 2, 0, 1<<3 | 2, 0, 2<<3 | 2, 7, 1<<3 | 2, 5, 1<<3 | 2, 1, 'k', 2 << 3, 3}
	if !slices.Equal(got, bytes) {
		t.Errorf("got % x, want % x", got, bytes)
	}
}

// A type that holds itself is one message, also when values nest.
func TestRecursiveType(t *testing.T) {
	node := record("p.Node", column("n", of(connect.Int32)))
	node.Fields = append(node.Fields, column("children", &connect.Schema{Kind: connect.Array, Elem: node}))
	leaf := connect.List([]connect.Value{connect.Int(2), {}})
	c := compile(t, node)
	m := decode(t, c, connect.List([]connect.Value{connect.Int(1), connect.List([]connect.Value{leaf, leaf})}))
	if got := m.Get(m.Descriptor().Fields().ByName("children")).List().Len(); got != 2 {
		t.Errorf("got %d children, want 2", got)
	}
}

func TestCompileErrors(t *testing.T) {
	nested := func(depth int) *connect.Schema {
		s := record("T", column("x", of(connect.Int32)))
		for i := range depth {
			s = record(fmt.Sprintf("T%d", i), column("down", s))
		}
		return s
	}
	wide := record("R")
	for i := range 100_001 {
		wide.Fields = append(wide.Fields, column(fmt.Sprintf("c%d", i), of(connect.Int32)))
	}
	cycle := record("A")
	cycle.Fields = []connect.Field{column("b", record("B", column("a", cycle)))}
	array := func(s *connect.Schema) *connect.Schema { return &connect.Schema{Kind: connect.Array, Elem: s} }
	endless := array(nil)
	endless.Elem = endless
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		want   string
	}{
		{"two columns of one name", record("p.R", column("a", of(connect.Int8)), column("a", of(connect.Int8))),
			`compile p.R: two fields have the name "a"`},
		{"two types of one name, one of a list", record("R", column("a", array(array(of(connect.Int8)))), column("b", record("aItem"))),
			`compile R.b: another type of R has the name aItem too, and is not the same`},
		{"two types of one name", record("R", column("a", record("x.T")), column("b", record("y.T", column("c", of(connect.Int8))))),
			`compile R.b: another type of R has the name T too, and is not the same`},
		{"a type within another of its name", record("R", column("a", record("x.R"))),
			`compile R.a: its type has the name R, which is another type's around it`},
		{"an array of nothing", record("R", column("a", array(nil))), `compile R.a: its items have no schema`},
		{"an array of arrays of nothing", record("R", column("a", array(array(nil)))), `compile R.a.items: its items have no schema`},
		{"a field of nothing", record("R", column("a", nil)), `compile R.a: it has no schema`},
		{"a map of nothing", record("R", column("a", &connect.Schema{Kind: connect.Map, Key: of(connect.String)})), `compile R.a.value: it has no schema`},
		{"a decimal without scale", record("R", column("a", &connect.Schema{Kind: connect.Bytes, Name: decimalName})),
			`compile R.a: a Decimal without the parameter scale`},
		{"a decimal with an odd scale", record("R", column("a", decimal("two", ""))),
			`compile R.a: parameter scale: strconv.ParseInt: parsing "two": invalid syntax`},
		{"a date that is a text", record("R", column("a", &connect.Schema{Kind: connect.String, Name: dateName})),
			`compile R.a: org.apache.kafka.connect.data.Date is string, want int32`},
		{"an enum from Protobuf", record("R", column("a", &connect.Schema{Kind: connect.Int32, Parameters: []connect.Parameter{{Key: "io.confluent.connect.protobuf.Enum", Value: "E"}}})),
			`compile R.a: the parameter io.confluent.connect.protobuf.Enum is not supported`},
		{"a record that is an array", array(of(connect.Int32)), `compile a record of type array : it is no struct and no scalar`},
		{"a record that is a date", &connect.Schema{Kind: connect.Int32, Name: dateName}, `compile a record of type int32 org.apache.kafka.connect.data.Date: it is no struct and no scalar`},
		{"too deep", nested(100), `messages nest deeper than 100`},
		{"an array of itself", record("R", column("a", endless)), `messages nest deeper than 100`},
		{"a cycle", cycle, `messages nest deeper than 100`},
		{"too many fields", wide, `compile R.c100000: the schema has more than 100000 fields`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := protobuf.Compile(c.schema)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := protobuf.Compile(nested(99)); err != nil {
		t.Errorf("a hundred levels: %v", err)
	}
}
