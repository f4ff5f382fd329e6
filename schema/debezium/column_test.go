package debezium_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// pgType is a type of pg_catalog.
func pgType(oid uint32, name string) *schema.Type {
	return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
}

// extension is a base type of an extension, with an OID of this database only.
func extension(name string) *schema.Type {
	return &schema.Type{OID: 16500, Schema: "public", Name: name, Kind: schema.TypeBase, Mod: -1}
}

func arrayOf(elem *schema.Type) *schema.Type {
	return &schema.Type{OID: 16501, Schema: elem.Schema, Name: "_" + elem.Name, Kind: schema.TypeArray, Elem: elem, Mod: -1, Delimiter: ','}
}

func domainOf(base *schema.Type, mod int32) *schema.Type {
	return &schema.Type{OID: 16502, Schema: "public", Name: "a_domain", Kind: schema.TypeDomain, Elem: base, Mod: mod}
}

func enumOf(labels ...string) *schema.Type {
	return &schema.Type{OID: 16503, Schema: "public", Name: "mood", Kind: schema.TypeEnum, Mod: -1, Labels: labels}
}

// numericMod is the modifier of numeric(precision, scale).
func numericMod(precision, scale int32) int32 { return precision<<16 | scale&0x7ff + 4 }

// columnOf is a column that may be NULL.
func columnOf(t *schema.Type, mod int32) schema.Column {
	return schema.Column{Name: "c", TypeOID: t.OID, TypeMod: mod, Type: t}
}

// required makes it NOT NULL.
func required(c schema.Column) schema.Column { c.NotNull = true; return c }

// conversion is one case: what a text becomes in a column.
type conversion struct {
	name    string
	column  schema.Column
	options debezium.Options
	text    string
	schema  string // see printSchema; empty: as in the case before
	value   string // see printValue; begins with "error" where one is wanted
}

func run(t *testing.T, cases []conversion) {
	t.Helper()
	wantSchema := ""
	for _, c := range cases {
		if c.schema != "" {
			wantSchema = c.schema
		}
		wantSchema := wantSchema
		t.Run(c.name, func(t *testing.T) {
			column := debezium.NewColumn(c.column, c.options)
			if got := printSchema(column.Schema); got != wantSchema {
				t.Errorf("got schema %s, want %s", got, wantSchema)
			}
			value, err := column.Convert(new(connect.Arena), []byte(c.text))
			got := printValue(value)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != c.value {
				t.Errorf("%q: got %s, want %s", c.text, got, c.value)
			}
		})
	}
}

// printSchema prints a schema in one line: kind, ? when optional, name, version,
// parameters, default, and what is inside.
func printSchema(s *connect.Schema) string {
	var b strings.Builder
	b.WriteString(s.Kind.String())
	if s.Optional {
		b.WriteByte('?')
	}
	if s.Name != "" {
		fmt.Fprintf(&b, " %s v%d", s.Name, s.Version)
	}
	for _, p := range s.Parameters {
		fmt.Fprintf(&b, " %s=%s", p.Key, p.Value)
	}
	if s.Default != nil {
		b.WriteString(" default " + printValue(*s.Default))
	}
	if s.Key != nil {
		b.WriteString(" of " + printSchema(s.Key))
	}
	if s.Elem != nil {
		b.WriteString(" of " + printSchema(s.Elem))
	}
	for i, f := range s.Fields {
		b.WriteString([]string{" {", ", "}[min(i, 1)] + f.Name + " " + printSchema(f.Schema))
	}
	if s.Fields != nil {
		b.WriteByte('}')
	}
	return b.String()
}

// printValue prints a value in one line: "text", 0x0badbeef, 1, 1.5, t, [a b].
func printValue(v connect.Value) string {
	switch v.Form {
	case connect.Null:
		return "null"
	case connect.FormBool:
		return strconv.FormatBool(v.Int != 0)
	case connect.FormInt:
		return strconv.FormatInt(v.Int, 10)
	case connect.FormFloat:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case connect.FormText:
		return strconv.Quote(string(v.Bytes))
	case connect.FormBytes:
		return fmt.Sprintf("0x%x", v.Bytes)
	case connect.FormList:
		items := make([]string, len(v.List))
		for i := range v.List {
			items[i] = printValue(v.List[i])
		}
		return "[" + strings.Join(items, " ") + "]"
	case connect.FormNumber:
	}
	return fmt.Sprintf("form %d", v.Form)
}

func TestTypesTheCatalogueDoesNotKnow(t *testing.T) {
	unknown := func(oid uint32, mod int32) schema.Column { return schema.Column{Name: "c", TypeOID: oid, TypeMod: mod} }
	run(t, []conversion{
		{"int4 by its OID", unknown(23, -1), debezium.Options{}, "7", "int32?", "7"},
		{"numeric(5,2) by its OID", unknown(1700, numericMod(5, 2)), debezium.Options{}, "1.50",
			"bytes? org.apache.kafka.connect.data.Decimal v1 scale=2 connect.decimal.precision=5", "0x0096"},
		{"text[] by its OID", unknown(1009, -1), debezium.Options{}, "{a,NULL}", "array? of string?", `["a" null]`},
		{"another, which is its text", unknown(99999, -1), debezium.Options{}, "what it is", "string?", `"what it is"`},
		{"another that is NOT NULL", required(unknown(99999, -1)), debezium.Options{}, "", "string", `""`},
	})
}

func TestDomains(t *testing.T) {
	numeric, int4 := pgType(1700, "numeric"), pgType(23, "int4")
	run(t, []conversion{
		{"over int4", columnOf(domainOf(int4, -1), -1), debezium.Options{}, "7", "int32?", "7"},
		{"over a domain over numeric(5,2)", columnOf(domainOf(domainOf(numeric, numericMod(5, 2)), -1), -1), debezium.Options{}, "-1.50",
			"bytes? org.apache.kafka.connect.data.Decimal v1 scale=2 connect.decimal.precision=5", "0xff6a"},
		{"over an enum", columnOf(domainOf(enumOf("sad", "glad"), -1), -1), debezium.Options{}, "glad",
			"string? io.debezium.data.Enum v1 allowed=sad,glad", `"glad"`},
		{"over an array", columnOf(domainOf(arrayOf(int4), -1), -1), debezium.Options{}, "{1,2}", "array? of int32?", "[1 2]"},
		{"over timestamp(3)", required(columnOf(domainOf(pgType(1114, "timestamp"), 3), -1)), debezium.Options{}, "1970-01-01 00:00:01.5",
			"int64 io.debezium.time.Timestamp v1", "1500"},
		{"in an array", columnOf(arrayOf(domainOf(int4, -1)), -1), debezium.Options{}, "{1,2}", "string?", `"{1,2}"`},
	})
}

func TestTypesWithoutMapping(t *testing.T) {
	for _, kind := range []schema.TypeKind{schema.TypeComposite, schema.TypeMultirange, schema.TypeRange} {
		of := &schema.Type{OID: 16600, Schema: "public", Name: "mine", Kind: kind, Mod: -1}
		run(t, []conversion{
			{string(kind), columnOf(of, -1), debezium.Options{}, "(1,2)", "string?", `"(1,2)"`},
			{string(kind) + " in an array", columnOf(arrayOf(of), -1), debezium.Options{}, `{"(1,2)"}`, "string?", `"{\"(1,2)\"}"`},
		})
	}
	names := map[uint32]string{19: "name", 28: "xid", 27: "tid", 2205: "regclass", 3220: "pg_lsn", 3615: "tsquery", 603: "box", 718: "circle", 628: "line", 601: "lseg", 602: "path", 604: "polygon", 1790: "refcursor", 4072: "jsonpath", 5069: "xid8"}
	for oid, name := range names {
		run(t, []conversion{
			{name, columnOf(pgType(oid, name), -1), debezium.Options{}, "its text", "string?", `"its text"`},
			{name + "[]", columnOf(arrayOf(pgType(oid, name)), -1), debezium.Options{}, "{a}", "string?", `"{a}"`},
		})
	}
	for oid, name := range map[uint32]string{790: "money", 1186: "interval", 142: "xml", 600: "point", 1560: "bit", 1562: "varbit"} {
		run(t, []conversion{{name + "[]", columnOf(arrayOf(pgType(oid, name)), -1), debezium.Options{}, "{a}", "string?", `"{a}"`}})
	}
}

func TestConvertAllocatesNothing(t *testing.T) {
	for _, c := range []conversion{
		{name: "bool", column: columnOf(pgType(16, "bool"), -1), text: "t"},
		{name: "int8", column: columnOf(pgType(20, "int8"), -1), text: "-9223372036854775808"},
		{name: "float8", column: columnOf(pgType(701, "float8"), -1), text: "3.141592653589793"},
		{name: "numeric", column: columnOf(pgType(1700, "numeric"), -1), text: "12345.6789"},
		{name: "numeric(10,2)", column: columnOf(pgType(1700, "numeric"), numericMod(10, 2)), text: "12345.67"},
		{name: "numeric, string", column: columnOf(pgType(1700, "numeric"), -1), options: debezium.Options{Decimal: debezium.DecimalString}, text: "12345.67"},
		{name: "numeric, double", column: columnOf(pgType(1700, "numeric"), -1), options: debezium.Options{Decimal: debezium.DecimalDouble}, text: "12345.67"},
		{name: "date", column: columnOf(pgType(1082, "date"), -1), text: "2025-08-25"},
		{name: "time", column: columnOf(pgType(1083, "time"), -1), text: "16:13:40.436907"},
		{name: "timetz", column: columnOf(pgType(1266, "timetz"), -1), text: "16:13:40.436907+02"},
		{name: "timestamp", column: columnOf(pgType(1114, "timestamp"), -1), text: "2025-08-25 16:13:40.436907"},
		{name: "timestamp, isostring", column: columnOf(pgType(1114, "timestamp"), -1), options: debezium.Options{Time: debezium.TimeISOString}, text: "2025-08-25 16:13:40.436907"},
		{name: "timestamptz", column: columnOf(pgType(1184, "timestamptz"), -1), text: "2025-08-25 16:13:40.436907+00"},
		{name: "interval", column: columnOf(pgType(1186, "interval"), -1), text: "1 year 2 mons 3 days 04:05:06.78"},
		{name: "interval, string", column: columnOf(pgType(1186, "interval"), -1), options: debezium.Options{Interval: debezium.IntervalString}, text: "1 year 2 mons 3 days 04:05:06.78"},
		{name: "bytea", column: columnOf(pgType(17, "bytea"), -1), text: `\xdeadbeef`},
		{name: "bytea, base64", column: columnOf(pgType(17, "bytea"), -1), options: debezium.Options{Binary: debezium.BinaryBase64}, text: `\xdeadbeef`},
		{name: "bit(10)", column: columnOf(pgType(1560, "bit"), 10), text: "1010101010"},
		{name: "text", column: columnOf(pgType(25, "text"), -1), text: "what it is"},
		{name: "uuid", column: columnOf(pgType(2950, "uuid"), -1), text: "76019d1a-ad2e-4b22-96e9-1a6d6543c818"},
		{name: "point", column: columnOf(pgType(600, "point"), -1), text: "(1,2.5)"},
		{name: "vector", column: columnOf(extension("vector"), -1), text: "[1,2,3.5]"},
		{name: "geometry", column: columnOf(extension("geometry"), -1), text: "0101000000000000000000F03F0000000000000040"},
	} {
		t.Run(c.name, func(t *testing.T) {
			column, text, arena := debezium.NewColumn(required(c.column), c.options), []byte(c.text), new(connect.Arena)
			var err error
			allocations := testing.AllocsPerRun(100, func() {
				arena.Reset()
				if _, e := column.Convert(arena, text); e != nil {
					err = e
				}
			})
			if err != nil || allocations != 0 {
				t.Errorf("got %v allocations and error %v, want none", allocations, err)
			}
		})
	}
}

func TestModes(t *testing.T) {
	for name, parse := range map[string]func(string) (fmt.Stringer, error){
		"precise": stringer(debezium.ParseDecimal), "DOUBLE": stringer(debezium.ParseDecimal), "string": stringer(debezium.ParseDecimal),
		"adaptive": stringer(debezium.ParseTime), "adaptive_time_microseconds": stringer(debezium.ParseTime), "connect": stringer(debezium.ParseTime),
		"isostring": stringer(debezium.ParseTime), "microseconds": stringer(debezium.ParseTime), "nanoseconds": stringer(debezium.ParseTime),
		"numeric": stringer(debezium.ParseInterval), "bytes": stringer(debezium.ParseBinary), "base64": stringer(debezium.ParseBinary),
		"base64-url-safe": stringer(debezium.ParseBinary), "hex": stringer(debezium.ParseBinary),
		"json": stringer(debezium.ParseHStore), " map ": stringer(debezium.ParseHStore), //nolint:gocritic // spaces are what is tested
	} {
		t.Run(name, func(t *testing.T) {
			mode, err := parse(name)
			if want := strings.ToLower(strings.TrimSpace(name)); err != nil || mode.String() != want {
				t.Errorf("got %v and error %v, want %s", mode, err, want)
			}
		})
	}
	_, err := debezium.ParseTime("structured")
	if want := `time.precision.mode is "structured": want one of adaptive, adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got, want := debezium.Decimal(9).String(), "mode 9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := (&debezium.Options{Unavailable: "hex:0"}).Validate(); err == nil {
		t.Error("half an octet is a placeholder, want an error")
	}
	if err := (&debezium.Options{Unavailable: "hex:00ff"}).Validate(); err != nil {
		t.Error(err)
	}
}

func stringer[M fmt.Stringer](parse func(string) (M, error)) func(string) (fmt.Stringer, error) {
	return func(name string) (fmt.Stringer, error) { return parse(name) }
}
