package plain_test

import (
	"strings"
	"testing"

	"penstock/schema"
)

// OIDs of pg_type.dat that the cases name often.
const (
	oidText        = 25
	oidInt4        = 23
	oidJSONB       = 3802
	oidTimestamptz = 1184
)

type scalarCase struct {
	name string
	oid  uint32
	text string
	want string // JSON
}

func scalarCases() []scalarCase {
	return []scalarCase{
		{"int2", 21, "-32768", `-32768`},
		{"int4", 23, "2147483647", `2147483647`},
		{"int8", 20, "-9223372036854775808", `-9223372036854775808`},
		{"oid", 26, "4294967295", `4294967295`},
		{"float4", 700, "1.1754944e-38", `1.1754944e-38`},
		{"float8", 701, "-0", `-0`},
		{"float8 NaN", 701, "NaN", `"NaN"`},
		{"float8 infinite", 701, "-Infinity", `"-Infinity"`},
		{"numeric", 1700, "12345678901234567890.1234567890", `12345678901234567890.1234567890`},
		{"numeric NaN", 1700, "NaN", `"NaN"`},
		{"numeric infinite", 1700, "Infinity", `"Infinity"`},
		{"numeric long", 1700, strings.Repeat("7", 5000) + ".50", strings.Repeat("7", 5000) + ".50"},
		{"bool true", 16, "t", `true`},
		{"bool false", 16, "f", `false`},
		{"text", 25, "a\"b\\c\n🐘\x01", `"a\"b\\c\n🐘\u0001"`},
		{"varchar", 1043, "", `""`},
		{"text that is not UTF-8", 25, "a\xff", `"a\ufffd"`},
		{"char with blanks", 1042, "a   ", `"a   "`},
		{"json", 114, "{\"a\" : [1.50,\n null]}", "{\"a\" : [1.50,\n null]}"},
		{"jsonb", oidJSONB, `{"a": 1e400}`, `{"a": 1e400}`},
		{"jsonb null", oidJSONB, `null`, `null`},
		{"date", 1082, "2025-08-25", `"2025-08-25"`},
		{"date before Christ", 1082, "0044-03-15 BC", `"0044-03-15 BC"`},
		{"date far away", 1082, "5874897-12-31", `"5874897-12-31"`},
		{"date infinite", 1082, "infinity", `"infinity"`},
		{"time", 1083, "24:00:00", `"24:00:00"`},
		{"timetz", 1266, "16:13:40.5-07", `"16:13:40.5-07"`},
		{"timestamp", 1114, "2025-08-25 16:13:40.436907", `"2025-08-25T16:13:40.436907"`},
		{"timestamp before Christ", 1114, "0044-03-15 12:00:00 BC", `"0044-03-15T12:00:00 BC"`},
		{"timestamp far away", 1114, "294276-12-31 23:59:59.999999", `"294276-12-31T23:59:59.999999"`},
		{"timestamp infinite", 1114, "-infinity", `"-infinity"`},
		{"timestamptz", 1184, "2025-08-25 16:13:40.436907+00", `"2025-08-25T16:13:40.436907Z"`},
		{"timestamptz before Christ", 1184, "0044-03-15 12:00:00+00 BC", `"0044-03-15T12:00:00Z BC"`},
		{"timestamptz elsewhere", 1184, "2025-08-25 16:13:40-07", `"2025-08-25T16:13:40-07:00"`},
		{"timestamptz far elsewhere", 1184, "2025-08-25 16:13:40+05:30", `"2025-08-25T16:13:40+05:30"`},
		{"timestamptz infinite", 1184, "infinity", `"infinity"`},
		{"interval", 1186, "-1 years -2 mons +3 days -04:05:06.789", `"P-1Y-2M3DT-4H-5M-6.789S"`},
		{"interval of nothing", 1186, "00:00:00", `"PT0S"`},
		{"interval of days", 1186, "-3 days", `"P-3D"`},
		{"interval of months", 1186, "-14 mons", `"P-1Y-2M"`},
		{"interval of a moment", 1186, "-00:00:00.000001", `"PT-0.000001S"`},
		{"interval of hours", 1186, "100:00:00", `"PT100H"`},
		{"interval of minutes", 1186, "-00:01:10", `"PT-1M-10S"`},
		{"interval, the least", 1186, "-178956970 years -8 mons -2147483648 days -2562047788:00:54.775808", `"P-178956970Y-8M-2147483648DT-2562047788H-54.775808S"`},
		{"interval infinite", 1186, "-infinity", `"-infinity"`},
		{"bytea", 17, `\xdeadbeef`, `"3q2+7w=="`},
		{"bytea in escape form", 17, `\\\001`, `"XAE="`},
		{"bytea empty", 17, `\x`, `""`},
		{"bit", 1560, "10110", `"10110"`},
		{"varbit", 1562, "", `""`},
		{"money", 790, "-$1,234.56", `"-$1,234.56"`},
		{"uuid", 2950, "7f2c9a4e-3d1b-4c57-9e57-0a1b2c3d4e5f", `"7f2c9a4e-3d1b-4c57-9e57-0a1b2c3d4e5f"`},
		{"inet", 869, "::1/128", `"::1/128"`},
		{"point", 600, "(1,2.5)", `"(1,2.5)"`},
		{"tsvector", 3614, "'a':1A 'b':2", `"'a':1A 'b':2"`},
		{"xml", 142, `<a b="c"/>`, `"<a b=\"c\"/>"`},
		{"array of an unknown element", 1007, "{1,2}", `"{1,2}"`},
		{"unknown type", 99999, "who knows", `"who knows"`},
	}
}

// The type is found by the OID alone and by the catalogue's word for it.
func TestScalars(t *testing.T) {
	for _, c := range scalarCases() {
		t.Run(c.name, func(t *testing.T) {
			for _, known := range []*schema.Type{nil, {OID: c.oid, Schema: "pg_catalog", Kind: schema.TypeBase}, domain(domain(&schema.Type{OID: c.oid, Kind: schema.TypeBase}))} {
				got := row(t, table(t, []schema.Column{{Name: "c", TypeOID: c.oid, Type: known}}, nil), schema.Tuple{value(c.text)})
				if want := `{"c":` + c.want + `}`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

func TestScalarErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		oid  uint32
		text string
	}{
		{"int2 too large", 21, "32768"}, {"int4 with a plus", 23, "+1"}, {"int4 with zeros", 23, "007"}, {"int8 empty", 20, ""}, {"int8 with a fraction", 20, "1.0"},
		{"oid below 0", 26, "-1"}, {"float", 701, "1.5.2"}, {"float in words", 700, "inf"}, {"numeric", 1700, "1,5"}, {"numeric, hexadecimal", 1700, "0x10"}, {"bool", 16, "true"},
		{"json cut off", 114, `{"a":`}, {"json empty", 114, ""}, {"two of json", 114, "1 2"}, {"jsonb empty", oidJSONB, ""},
		{"date", 1082, "25.08.2025"}, {"time", 1083, "24:00:01"}, {"timetz", 1266, "12:00:00"}, {"timestamp", 1114, "2025-08-25"}, {"timestamptz", 1184, "2025-08-25 16:13:40"},
		{"interval", 1186, "P1D"}, {"bytea", 17, `\xabc`}, {"bit", 1560, "012"}, {"varbit", 1562, `1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := table(t, []schema.Column{{Name: "c", TypeOID: c.oid}}, nil)
			if got, err := one.AppendRow(nil, schema.Tuple{value(c.text)}); err == nil || len(got) > 0 {
				t.Errorf("got %s, %v, want an error", got, err)
			}
		})
	}
}
