package avro_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"penstock/schema/connect"
)

func TestExamplesCanBeReadBack(t *testing.T) {
	for _, e := range examples() {
		if e.value.Form == connect.Null {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			c := compile(t, e.schema)
			exchange(t, c, reader(t, c), e.schema, e.value)
		})
	}
}

func TestValuesCanBeReadBack(t *testing.T) {
	const data = "org.apache.kafka.connect.data."
	long := strings.Repeat("ab", 40_000)
	decimal := named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "5"}, connect.Parameter{Key: "connect.decimal.precision", Value: "2"})
	withDefault := structOf("t.T", field("n", defaulted(of(connect.Int32), connect.Int(5))), field("s", optional(defaulted(of(connect.String), text("d")))))
	wide := structOf("t.Wide")
	var widest []connect.Value
	for i := range 1600 {
		wide.Fields = append(wide.Fields, field("c"+strings.Repeat("x", i), optional(of(connect.Int32))))
		widest = append(widest, connect.Int(int64(i)))
	}
	for _, c := range []example{
		{"long text", of(connect.String), text(long)},
		{"long bytes", optional(of(connect.Bytes)), raw(long)},
		{"bytes that are the whole record", of(connect.Bytes), raw("\x00\x01")},
		{"text that is not UTF-8", of(connect.String), text("a\xffb\xc3\xa9\xe2\x28")},
		{"not a number", of(connect.Float64), connect.Float(math.NaN())},
		{"infinity", of(connect.Float32), connect.Float(math.Inf(-1))},
		{"smallest of all ints", array(of(connect.Int64)), list(connect.Int(math.MinInt64), connect.Int(-1), connect.Int(0))},
		{"null where none may be becomes the default", withDefault, list(null(), text("x"))},
		{"null where one may be stays null, whatever the default", withDefault, list(connect.Int(1), null())},
		{"null as the whole record", optional(of(connect.Int32)), null()},
		{"a Decimal that Avro has no type for", optional(decimal), raw("\x05")},
		{"names that are adjusted", structOf("s.été.T-1", field("a-b", of(connect.Int32)), field("é", of(connect.Int32))), list(connect.Int(1), connect.Int(2))},
		{"namespaces that begin with a digit", structOf("s.2024.T", field("a", structOf("s.2024.U", field("n", of(connect.Int32)))), field("b", structOf("s.2024.U", field("n", of(connect.Int32))))),
			list(list(connect.Int(1)), list(connect.Int(2)))},
		{"1,600 columns", wide, list(widest...)},
		{"nested", array(mapOf(of(connect.String), optional(array(structOf("x.Y", field("m", mapOf(of(connect.Int64), of(connect.Boolean)))))))),
			list(list(text("k"), list(list(list(connect.Int(1), connect.Bool(true), connect.Int(2), connect.Bool(false))))), list(text("n"), null()))},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := compile(t, c.schema)
			exchange(t, codec, reader(t, codec), c.schema, c.value)
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, e := range append(examples(), example{"text that is not UTF-8", of(connect.String), text("a\xffb")}) {
		if e.value.Form == connect.Null {
			continue
		}
		c := compile(t, e.schema)
		dst := make([]byte, 0, 1<<10)
		if n := testing.AllocsPerRun(100, func() { dst = c.Append(dst[:0], e.value) }); n != 0 {
			t.Errorf("%s: %v allocations", e.name, n)
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	c := compile(t, of(connect.Int32))
	if got := c.Append([]byte("before"), connect.Int(1)); !bytes.Equal(got, []byte("before\x02")) {
		t.Errorf("got %q", got)
	}
}

func TestAppendPanicsOnWhatDoesNotFit(t *testing.T) {
	i32 := of(connect.Int32)
	for _, c := range []struct {
		example
		want string
	}{
		{example{"another form", i32, text("1")}, "form 4"},
		{example{"null without default", i32, null()}, "takes none"},
		{example{"too large", i32, connect.Int(1 << 31)}, "2147483648"},
		{example{"too few fields", structOf("t.T", field("n", i32)), list()}, "0 values"},
		{example{"a key without value", mapOf(of(connect.String), i32), list(text("k"))}, "pairs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := compile(t, c.schema)
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, c.want) {
					t.Errorf("got %q, want %q in it", got, c.want)
				}
			}()
			codec.Append(nil, c.value)
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	e := envelope()
	c := compile(b, e.schema)
	var dst []byte
	for b.Loop() {
		dst = c.Append(dst[:0], e.value)
	}
	b.SetBytes(int64(len(dst)))
}
