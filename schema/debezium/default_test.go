package debezium_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

func TestDefaults(t *testing.T) {
	text := debezium.Options{Decimal: debezium.DecimalString}
	for _, c := range []struct {
		name       string
		of         *schema.Type
		mod        int32
		options    debezium.Options
		expression string
		want       string // "none" for none
	}{
		{"int4", pgType(23, "int4"), -1, debezium.Options{}, "42", "42"},
		{"int4, negative", pgType(23, "int4"), -1, debezium.Options{}, "'-42'::integer", "-42"},
		{"int4, a sequence", pgType(23, "int4"), -1, debezium.Options{}, "nextval('a_id_seq'::regclass)", "0"},
		{"int4, an expression", pgType(23, "int4"), -1, debezium.Options{}, "(1 + 2)", "none"},
		{"int4, NULL", pgType(23, "int4"), -1, debezium.Options{}, "NULL::integer", "none"},
		{"int8", pgType(20, "int8"), -1, debezium.Options{}, "'9223372036854775807'::bigint", "9223372036854775807"},
		{"bool", pgType(16, "bool"), -1, debezium.Options{}, "true", "true"},
		{"bool, a function", pgType(16, "bool"), -1, debezium.Options{}, "f(1)", "false"},
		{"bool, an expression", pgType(16, "bool"), -1, debezium.Options{}, "(1 = 1)", "none"},
		{"bit(1)", pgType(1560, "bit"), 1, debezium.Options{}, `B'1'::"bit"`, "true"},
		{"bit(3)", pgType(1560, "bit"), 3, debezium.Options{}, `B'101'::"bit"`, "0x05"},
		{"float8", pgType(701, "float8"), -1, debezium.Options{}, "1.5", "1.5"},
		{"float8, quoted", pgType(701, "float8"), -1, debezium.Options{}, "'NaN'::double precision", "NaN"},
		{"numeric(5,2)", pgType(1700, "numeric"), numericMod(5, 2), debezium.Options{}, "1.5", "0x0096"},
		{"numeric(5,2), string", pgType(1700, "numeric"), numericMod(5, 2), text, "1.5", `"1.50"`},
		{"numeric(5,2), too fine", pgType(1700, "numeric"), numericMod(5, 2), debezium.Options{}, "1.555", "none"},
		{"numeric, string", pgType(1700, "numeric"), -1, text, "random()", `"0.0"`},
		{"numeric, for which Connect has no default", pgType(1700, "numeric"), -1, debezium.Options{}, "1.5", "none"},
		{"text", pgType(25, "text"), -1, debezium.Options{}, "'it''s'::text", `"it's"`},
		{"text, empty", pgType(25, "text"), -1, debezium.Options{}, "''::text", `""`},
		{"text, a function", pgType(25, "text"), -1, debezium.Options{}, "lower('A'::text)", `""`},
		{"text, an expression", pgType(25, "text"), -1, debezium.Options{}, "('a'::text || 'b'::text)", "none"},
		{"text, an expression that begins with a constant", pgType(25, "text"), -1, debezium.Options{}, "'a'::text || 'b'::text", "none"},
		{"text, a word", pgType(25, "text"), -1, debezium.Options{}, "CURRENT_USER", "none"},
		{"text, open", pgType(25, "text"), -1, debezium.Options{}, "'a", "none"},
		{"varchar(10)", pgType(1043, "varchar"), 14, debezium.Options{}, "'abc'::character varying(10)", `"abc"`},
		{"jsonb", pgType(3802, "jsonb"), -1, debezium.Options{}, "jsonb_build_object()", `"{}"`},
		{"uuid", pgType(2950, "uuid"), -1, debezium.Options{}, "gen_random_uuid()", `"00000000-0000-0000-0000-000000000000"`},
		{"date", pgType(1082, "date"), -1, debezium.Options{}, "'1970-01-02'::date", "1"},
		{"date, today", pgType(1082, "date"), -1, debezium.Options{}, "CURRENT_DATE", "0"},
		{"time", pgType(1083, "time"), -1, debezium.Options{}, "'00:00:01'::time without time zone", "1000000"},
		{"timestamp", pgType(1114, "timestamp"), -1, debezium.Options{}, "'1970-01-01 00:00:01'::timestamp without time zone", "1000000"},
		{"timestamp, a date", pgType(1114, "timestamp"), -1, debezium.Options{}, "'1970-01-02'::date", "86400000000"},
		{"timestamp, in an hour", pgType(1114, "timestamp"), -1, debezium.Options{}, "(now() + '01:00:00'::interval)", "0"},
		{"timestamptz", pgType(1184, "timestamptz"), 3, debezium.Options{}, "'1970-01-01 00:00:01+00'::timestamp with time zone", `"1970-01-01T00:00:01.000Z"`},
		{"timestamptz, now", pgType(1184, "timestamptz"), -1, debezium.Options{}, "now()", `"1970-01-01T00:00:00.000000Z"`},
		{"timestamptz, infinity", pgType(1184, "timestamptz"), -1, debezium.Options{}, "'infinity'::timestamp with time zone", `"infinity"`},
		{"interval", pgType(1186, "interval"), -1, debezium.Options{}, "'1 day'::interval", "86400000000"},
		{"enum", enumOf("sad", "glad"), -1, debezium.Options{}, "'glad'::mood", `"glad"`},
		{"enum, a function", enumOf("sad", "glad"), -1, debezium.Options{}, "mood()", "none"},
		{"bytea", pgType(17, "bytea"), -1, debezium.Options{}, `'\x00'::bytea`, "none"},
		{"an array", arrayOf(pgType(23, "int4")), -1, debezium.Options{}, "'{1}'::integer[]", "none"},
		{"a domain", domainOf(pgType(23, "int4"), -1), -1, debezium.Options{}, "1", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			column := columnOf(c.of, c.mod)
			column.Default = c.expression
			got := "none"
			if d := debezium.NewColumn(column, c.options).Schema.Default; d != nil {
				got = printValue(*d)
			}
			if got != c.want {
				t.Errorf("%s: got %s, want %s", c.expression, got, c.want)
			}
		})
	}
}

// A generated column is computed, never defaulted.
func TestGeneratedColumnHasNoDefault(t *testing.T) {
	column := columnOf(pgType(23, "int4"), -1)
	column.Default, column.Generated = "f(a)", true
	if d := debezium.NewColumn(column, debezium.Options{}).Schema.Default; d != nil {
		t.Errorf("got %s, want none", printValue(*d))
	}
}

// A default outlives the arena that values are made in.
func TestDefaultIsItsOwn(t *testing.T) {
	c := columnOf(pgType(1700, "numeric"), numericMod(5, 2))
	c.Default = "1.50"
	column, arena := debezium.NewColumn(required(c), debezium.Options{}), new(connect.Arena)
	for range 3 {
		arena.Reset()
		if _, err := column.Convert(arena, []byte("9.99")); err != nil {
			t.Fatal(err)
		}
	}
	if got := printValue(column.Absent); got != "0x0096" {
		t.Errorf("got %s, want 0x0096", got)
	}
}
