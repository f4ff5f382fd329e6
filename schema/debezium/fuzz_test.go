package debezium_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
	"penstock/schema/pgtext"
)

// allModes are options of which each mode is in one at least.
func allModes() []debezium.Options {
	all := make([]debezium.Options, debezium.TimeNanoseconds+1)
	for i := range all {
		all[i] = debezium.Options{
			Time:     debezium.Time(i),
			Decimal:  debezium.Decimal(i % 3),
			Binary:   debezium.Binary(i % 4),
			Interval: debezium.Interval(i % 2),
			HStore:   debezium.HStore(i % 2),
		}
	}
	return all
}

// fuzz converts any text in columns of the types, alone and in an array, in all
// modes: there must be a value that fits the schema, or an error.
func fuzz(f *testing.F, seeds []string, types ...*schema.Type) {
	for _, seed := range seeds {
		f.Add([]byte(seed), int32(-1))
		f.Add([]byte("{"+seed+",NULL}"), int32(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, mod int32) {
		for _, o := range allModes() {
			for _, of := range types {
				for _, c := range []schema.Column{columnOf(of, mod), columnOf(arrayOf(of), mod), required(columnOf(of, mod))} {
					column := debezium.NewColumn(c, o)
					v, err := column.Convert(new(connect.Arena), text)
					if err == nil {
						mustFit(t, column.Schema, v)
					}
					mustPrint(t, &column, text, v, err)
					mustFit(t, column.Schema, column.Unchanged)
					if c.NotNull {
						mustFit(t, column.Schema, column.Absent)
					}
				}
			}
		}
	})
}

// mustPrint fails unless the column's own JSON is that of its value, or the same error.
func mustPrint(t *testing.T, c *debezium.Column, text []byte, v connect.Value, err error) {
	t.Helper()
	if c.AppendJSON == nil {
		return
	}
	got, gotErr := c.AppendJSON(nil, text)
	if fmt.Sprint(gotErr) != fmt.Sprint(err) {
		t.Fatalf("%q: got error %v, want %v", text, gotErr, err)
	}
	if err != nil {
		return
	}
	if want := connect.AppendJSON(nil, c.Schema, v); string(got) != string(want) {
		t.Fatalf("%q: got %s, want %s", text, got, want)
	}
}

// mustFit fails unless the JSON converter, which panics on what does not fit, and
// the ranges of the kinds take the value.
func mustFit(t *testing.T, s *connect.Schema, v connect.Value) {
	t.Helper()
	connect.AppendJSON(nil, s, v)
	limits := map[connect.Kind]int64{connect.Int8: math.MaxInt8, connect.Int16: math.MaxInt16, connect.Int32: math.MaxInt32, connect.Int64: math.MaxInt64}
	if limit, ok := limits[s.Kind]; ok && v.Form == connect.FormInt && (v.Int > limit || v.Int < -limit-1) {
		t.Errorf("%d in a schema of type %s", v.Int, s.Kind)
	}
	if s.Kind == connect.Array {
		for _, item := range v.List {
			mustFit(t, s.Elem, item)
		}
	}
	for i := range min(len(s.Fields), len(v.List)) {
		mustFit(t, s.Fields[i].Schema, v.List[i])
	}
}

func FuzzNumbers(f *testing.F) {
	fuzz(f, []string{"t", "-32768", "4294967295", "1e+20", "NaN"},
		pgType(16, "bool"), pgType(21, "int2"), pgType(23, "int4"), pgType(20, "int8"), pgType(26, "oid"), pgType(700, "float4"), pgType(701, "float8"))
}

func FuzzDecimals(f *testing.F) {
	fuzz(f, []string{"-12345.670", "0.00", "NaN", "Infinity", "($1,234.56)", "1.234,995 KD"}, pgType(1700, "numeric"), pgType(790, "money"))
}

func FuzzTemporal(f *testing.F) {
	fuzz(f, []string{"2016-11-04", "0044-03-15 BC", "24:00:00", "13:51:30.123+02", "2016-11-04 13:51:30.123456+00", "294276-12-31 23:59:59.999999", "-infinity", "1 year -04:05:06.78"},
		pgType(1082, "date"), pgType(1083, "time"), pgType(1266, "timetz"), pgType(1114, "timestamp"), pgType(1184, "timestamptz"), pgType(1186, "interval"))
}

func FuzzBinary(f *testing.F) {
	fuzz(f, []string{`\xdeadbeef`, `a\\\377`, "10110", ""}, pgType(17, "bytea"), pgType(1560, "bit"), pgType(1562, "varbit"))
}

func FuzzTexts(f *testing.F) {
	fuzz(f, []string{`"a"=>"1", "b"=>NULL`, "{}", "Top.Science"}, pgType(25, "text"), pgType(2950, "uuid"), enumOf("a", "b"), extension("hstore"), extension("ltree"))
}

func FuzzGeometry(f *testing.F) {
	fuzz(f, []string{"(1,2.5)", "0101000020E6100000000000000000F03F0000000000000040", "[1,2,3]", "{1:1.5,3:2}/5"},
		pgType(600, "point"), extension("geometry"), extension("geography"), extension("vector"), extension("halfvec"), extension("sparsevec"))
}

func FuzzDefaults(f *testing.F) {
	for _, seed := range []string{"'it''s'::text", "nextval('a'::regclass)", "B'101'::\"bit\"", "CURRENT_DATE", "'-1.5'::numeric", "("} {
		f.Add(seed)
	}
	oids := map[uint32]string{16: "bool", 23: "int4", 25: "text", 701: "float8", 1082: "date", 1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1562: "varbit", 1700: "numeric", 2950: "uuid", 3802: "jsonb"}
	f.Fuzz(func(t *testing.T, expression string) {
		for oid, name := range oids {
			c := columnOf(pgType(oid, name), 5)
			c.Default = expression
			column := debezium.NewColumn(required(c), debezium.Options{})
			mustFit(t, column.Schema, column.Absent)
		}
	})
}

// A megabyte of text becomes no more than 64 megabytes.
func TestMemoryIsBounded(t *testing.T) {
	const mega = 1 << 20
	for _, c := range []struct {
		name    string
		column  schema.Column
		options debezium.Options
		text    string
	}{
		{"int4[]", columnOf(arrayOf(pgType(23, "int4")), -1), debezium.Options{}, "{1" + strings.Repeat(",1", mega/2-2) + "}"},
		{"numeric[] of short numbers", columnOf(arrayOf(pgType(1700, "numeric")), -1), debezium.Options{}, "{1" + strings.Repeat(",1", mega/2-2) + "}"},
		{"numeric[] of longer numbers", columnOf(arrayOf(pgType(1700, "numeric")), -1), debezium.Options{}, "{1" + strings.Repeat(",1.25", mega/5-2) + "}"},
		{"numeric[] of both", columnOf(arrayOf(pgType(1700, "numeric")), -1), debezium.Options{}, "{1" + strings.Repeat(",1,1.25", mega/7-2) + "}"},
		{"numeric", columnOf(pgType(1700, "numeric"), -1), debezium.Options{}, strings.Repeat("9", 131072)},
		{"bytea, base64", columnOf(pgType(17, "bytea"), -1), debezium.Options{Binary: debezium.BinaryBase64}, `\x` + strings.Repeat("ff", mega/2-1)},
		{"hstore", columnOf(extension("hstore"), -1), debezium.Options{}, `""=>""` + strings.Repeat(`,""=>""`, mega/7-1)},
		{"vector", columnOf(extension("vector"), -1), debezium.Options{}, "[1" + strings.Repeat(",1", mega/2-2) + "]"},
		{"vector[]", columnOf(arrayOf(extension("vector")), -1), debezium.Options{}, "{[1]" + strings.Repeat(",[1]", mega/4-2) + "}"},
		{"sparsevec", columnOf(extension("sparsevec"), -1), debezium.Options{}, "{1:1" + strings.Repeat(",1:1", mega/4-8) + "}/32767"},
	} {
		t.Run(c.name, func(t *testing.T) {
			column, text := debezium.NewColumn(c.column, c.options), []byte(c.text)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := column.Convert(new(connect.Arena), text)
			runtime.ReadMemStats(&after)
			if wrong := new(pgtext.Error); err != nil && !errors.As(err, &wrong) {
				t.Error(err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 64*mega {
				t.Errorf("got %d MB, want at most 64", took/mega)
			}
		})
	}
}
