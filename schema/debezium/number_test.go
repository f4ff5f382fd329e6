package debezium_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/debezium"
)

func TestNumbers(t *testing.T) {
	boolean, int2, int4, int8 := columnOf(pgType(16, "bool"), -1), columnOf(pgType(21, "int2"), -1), columnOf(pgType(23, "int4"), -1), columnOf(pgType(20, "int8"), -1)
	oid, float4, float8 := columnOf(pgType(26, "oid"), -1), columnOf(pgType(700, "float4"), -1), columnOf(pgType(701, "float8"), -1)
	var o debezium.Options
	run(t, []conversion{
		{"bool", boolean, o, "t", "boolean?", "true"},
		{"bool NOT NULL", required(boolean), o, "f", "boolean", "false"},
		{"no bool", boolean, o, "true", "boolean?", "error: bool text, byte 0: neither t nor f"},
		{"int2", int2, o, "-32768", "int16?", "-32768"},
		{"no int2", int2, o, "32768", "", "error: int2 text, byte 0: not an integer of its size"},
		{"int4", int4, o, "2147483647", "int32?", "2147483647"},
		{"no int4", int4, o, "1.5", "", "error: int4 text, byte 0: not an integer of its size"},
		{"int8", int8, o, "-9223372036854775808", "int64?", "-9223372036854775808"},
		{"no int8", int8, o, "", "", "error: int8 text, byte 0: not an integer of its size"},
		{"oid above int4", oid, o, "4294967295", "int64?", "4294967295"},
		{"oid below zero", oid, o, "-1", "", "error: oid text, byte 0: not an integer of its size"},
		{"float4", float4, o, "3.3", "float?", "3.299999952316284"},
		{"float4 NaN", float4, o, "NaN", "", "NaN"},
		{"float4 with exponent", float4, o, "1e+20", "", "1.0000000200408773e+20"},
		{"float8", float8, o, "4.44", "double?", "4.44"},
		{"float8 infinity", float8, o, "-Infinity", "", "-Inf"},
		{"no float8, though Go reads it", float8, o, "0x1p4", "", "error: float8 text, byte 1: not a decimal number"},
		{"float8 out of range", float8, o, "1e400", "", "error: float8 text, byte 0: not a number in its range"},
	})
}

func TestNumeric(t *testing.T) {
	free, fixed := columnOf(pgType(1700, "numeric"), -1), columnOf(pgType(1700, "numeric"), numericMod(5, 2))
	of := func(precision, scale int32) schema.Column {
		return columnOf(pgType(1700, "numeric"), numericMod(precision, scale))
	}
	precise, double, text := debezium.Options{}, debezium.Options{Decimal: debezium.DecimalDouble}, debezium.Options{Decimal: debezium.DecimalString}
	const decimal = "bytes? org.apache.kafka.connect.data.Decimal v1 scale="
	const variable = "struct? io.debezium.data.VariableScaleDecimal v1 {scale int32, value bytes}"
	run(t, []conversion{
		{"fixed", fixed, precise, "1.10", decimal + "2 connect.decimal.precision=5", "0x6e"},
		{"fixed, negative", fixed, precise, "-1.28", "", "0x80"},
		{"fixed, zero", fixed, precise, "0.00", "", "0x00"},
		{"fixed, digits too many", fixed, precise, "1.105", "", "error: numeric text, byte 0: the scale is too small for the digits after the point"},
		{"fixed, NaN", fixed, precise, "NaN", "", "null"},
		{"no number", fixed, precise, "1,5", "", "error: numeric text, byte 1: more text after the value"},
		{"without scale", of(5, 0), precise, "300", decimal + "0 connect.decimal.precision=5", "0x012c"},
		{"scale above precision", of(3, 5), precise, "0.00123", decimal + "5 connect.decimal.precision=3", "0x7b"},
		{"scale below zero", of(5, -2), precise, "12300", decimal + "0 connect.decimal.precision=7", "0x300c"},
		{"30 digits", of(38, 10), precise, "12345678901234567890.0123456789", decimal + "10 connect.decimal.precision=38", "0x018ee90ff6c373e0ee0c04d515"},
		{"fixed NOT NULL, NaN", required(fixed), precise, "NaN", "bytes org.apache.kafka.connect.data.Decimal v1 scale=2 connect.decimal.precision=5",
			"error: numeric: the column is NOT NULL, and its mode has nothing that holds this value"},
		{"variable", free, precise, "1.10", variable, "[1 0x0b]"},
		{"variable, integer", free, precise, "100", "", "[0 0x64]"},
		{"variable, zeros only", free, precise, "0.000", "", "[0 0x00]"},
		{"variable, negative", free, precise, "-0.05", "", "[2 0xfb]"},
		{"variable, infinite", free, precise, "-Infinity", "", "null"},
		{"double", fixed, double, "1.10", "double?", "1.1"},
		{"double, NaN", free, double, "NaN", "", "NaN"},
		{"double, infinite", free, double, "Infinity", "", "+Inf"},
		{"double, beyond the largest", free, double, "1" + zeros(400), "", "+Inf"},
		{"string", fixed, text, "1.10", "string?", `"1.10"`},
		{"string, free", free, text, "1.1000", "", `"1.1000"`},
		{"string, NaN", free, text, "NaN", "", `"NAN"`},
		{"string, infinite", free, text, "Infinity", "", `"POSITIVE_INFINITY"`},
		{"string, minus infinity", free, text, "-Infinity", "", `"NEGATIVE_INFINITY"`},
		{"string, no number", free, text, "one", "", "error: numeric text, byte 0: a digit is missing"},
	})
}

func zeros(n int) string {
	all := make([]byte, n)
	for i := range all {
		all[i] = '0'
	}
	return string(all)
}

func TestMoney(t *testing.T) {
	money := columnOf(pgType(790, "money"), -1)
	precise, double, text := debezium.Options{}, debezium.Options{Decimal: debezium.DecimalDouble}, debezium.Options{Decimal: debezium.DecimalString}
	run(t, []conversion{
		{"precise", money, precise, "$1,234.11", "bytes? org.apache.kafka.connect.data.Decimal v1 scale=2", "0x01e213"},
		{"precise, negative", money, precise, "-$1,234.11", "", "0xfe1ded"},
		{"precise, without fraction", money, precise, "¥1,235", "", "0x01e26c"},
		{"precise, rounded", money, precise, "1.234,995 KD", "", "0x01e26c"},
		{"precise, rounded up to another digit", money, precise, "KD 0.995", "", "0x64"},
		{"double", money, double, "$1,234.11", "double?", "1234.11"},
		{"string", money, text, "($1,234.11)", "string?", `"-1234.11"`},
		{"string, below one", money, text, "$0.05", "", `"0.05"`},
		{"none", money, text, "$", "", "error: money text, byte 0: no digits"},
	})
}
