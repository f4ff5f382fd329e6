package debezium_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/debezium"
)

// What is not NULL but held by the key alone has the connector's zero.
func TestAbsentValues(t *testing.T) {
	withDefault := required(columnOf(pgType(23, "int4"), -1))
	withDefault.Default = "42"
	for _, c := range []struct {
		name    string
		column  schema.Column
		options debezium.Options
		want    string
	}{
		{"of a column that may be NULL", columnOf(pgType(23, "int4"), -1), debezium.Options{}, "null"},
		{"int4", required(columnOf(pgType(23, "int4"), -1)), debezium.Options{}, "0"},
		{"int4 with a default", withDefault, debezium.Options{}, "42"},
		{"bool", required(columnOf(pgType(16, "bool"), -1)), debezium.Options{}, "false"},
		{"text", required(columnOf(pgType(25, "text"), -1)), debezium.Options{}, `""`},
		{"bytea", required(columnOf(pgType(17, "bytea"), -1)), debezium.Options{}, "0x"},
		{"numeric(5,2)", required(columnOf(pgType(1700, "numeric"), numericMod(5, 2))), debezium.Options{}, "0x00"},
		{"numeric(5,2), string", required(columnOf(pgType(1700, "numeric"), numericMod(5, 2))), debezium.Options{Decimal: debezium.DecimalString}, `"0.00"`},
		{"numeric", required(columnOf(pgType(1700, "numeric"), -1)), debezium.Options{}, "[0 0x00]"},
		{"money, string", required(columnOf(pgType(790, "money"), -1)), debezium.Options{Decimal: debezium.DecimalString}, `"0.00"`},
		{"timestamptz", required(columnOf(pgType(1184, "timestamptz"), -1)), debezium.Options{}, `"1970-01-01T00:00:00Z"`},
		{"interval, string", required(columnOf(pgType(1186, "interval"), -1)), debezium.Options{Interval: debezium.IntervalString}, `"P0Y0M0DT0H0M0S"`},
		{"hstore", required(columnOf(extension("hstore"), -1)), debezium.Options{}, `"{}"`},
		{"an array", required(columnOf(arrayOf(pgType(23, "int4")), -1)), debezium.Options{}, "[]"},
		{"geometry", required(columnOf(extension("geometry"), -1)), debezium.Options{}, "[0x010700000000000000 null]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printValue(debezium.NewColumn(c.column, c.options).Absent); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestUnchangedValues(t *testing.T) {
	hexed := debezium.Options{Unavailable: "hex:ff41"}
	for _, c := range []struct {
		name    string
		column  schema.Column
		options debezium.Options
		want    string
	}{
		{"text", columnOf(pgType(25, "text"), -1), debezium.Options{}, `"__debezium_unavailable_value"`},
		{"jsonb", columnOf(pgType(3802, "jsonb"), -1), debezium.Options{Unavailable: "gone"}, `"gone"`},
		{"text, from octets", columnOf(pgType(25, "text"), -1), hexed, `"�A"`},
		{"bytea", columnOf(pgType(17, "bytea"), -1), hexed, "0xff41"},
		{"bytea, base64", columnOf(pgType(17, "bytea"), -1), debezium.Options{Unavailable: "gone", Binary: debezium.BinaryBase64}, `"gone"`},
		{"varbit", columnOf(pgType(1562, "varbit"), -1), hexed, "0xff41"},
		{"numeric", columnOf(pgType(1700, "numeric"), -1), hexed, "[0 0xff41]"},
		{"numeric(5,2)", columnOf(pgType(1700, "numeric"), numericMod(5, 2)), hexed, "0xff41"},
		{"numeric, double", columnOf(pgType(1700, "numeric"), -1), debezium.Options{Decimal: debezium.DecimalDouble}, "NaN"},
		{"text[]", columnOf(arrayOf(pgType(25, "text")), -1), debezium.Options{Unavailable: "gone"}, `["gone"]`},
		{"bytea[]", columnOf(arrayOf(pgType(17, "bytea")), -1), hexed, "[0xff41]"},
		{"int4[]", columnOf(arrayOf(pgType(23, "int4")), -1), hexed, "[-1 65]"},
		{"date[]", columnOf(arrayOf(pgType(1082, "date")), -1), hexed, "[-1 65]"},
		{"float8[]", columnOf(arrayOf(pgType(701, "float8")), -1), hexed, "[-1 65]"},
		{"timestamptz[]", columnOf(arrayOf(pgType(1184, "timestamptz")), -1), debezium.Options{Unavailable: "gone"}, `["gone"]`},
		{"uuid[]", columnOf(arrayOf(pgType(2950, "uuid")), -1), debezium.Options{}, `["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]`},
		{"bool[]", columnOf(arrayOf(pgType(16, "bool")), -1), debezium.Options{}, "[null]"},
		{"hstore", columnOf(extension("hstore"), -1), debezium.Options{Unavailable: "gone"}, `"{\"gone\":\"gone\"}"`},
		{"hstore, map", columnOf(extension("hstore"), -1), debezium.Options{Unavailable: "gone", HStore: debezium.HStoreMap}, `["gone" "gone"]`},
		{"geometry", columnOf(extension("geometry"), -1), hexed, "[0xff41 null]"},
		{"vector", columnOf(extension("vector"), -1), hexed, "[-1 65]"},
		{"sparsevec", columnOf(extension("sparsevec"), -1), hexed, "[0 []]"},
		{"int4, which is never TOASTed", columnOf(pgType(23, "int4"), -1), debezium.Options{}, "null"},
		{"int4 NOT NULL", required(columnOf(pgType(23, "int4"), -1)), debezium.Options{}, "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printValue(debezium.NewColumn(c.column, c.options).Unchanged); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
