package debezium_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/debezium"
)

func TestArrays(t *testing.T) {
	var o debezium.Options
	of := func(oid uint32, name string, mod int32) schema.Column {
		return columnOf(arrayOf(pgType(oid, name)), mod)
	}
	boxes := arrayOf(extension("geometry"))
	boxes.Delimiter = ':'
	vector := &schema.Type{OID: 22, Schema: "pg_catalog", Name: "int2vector", Kind: schema.TypeArray, Elem: pgType(21, "int2"), Mod: -1, Delimiter: ','}
	oids := &schema.Type{OID: 30, Schema: "pg_catalog", Name: "oidvector", Kind: schema.TypeArray, Elem: pgType(26, "oid"), Mod: -1, Delimiter: ','}
	run(t, []conversion{
		{"int4", of(23, "int4", -1), o, "{1,NULL,-3}", "array? of int32?", "[1 null -3]"},
		{"empty", of(23, "int4", -1), o, "{}", "", "[]"},
		{"two dimensions become one", of(23, "int4", -1), o, "{{1,2},{3,4}}", "", "[1 2 3 4]"},
		{"lower bounds are lost", of(23, "int4", -1), o, "[0:1]={1,2}", "", "[1 2]"},
		{"a bad element", of(23, "int4", -1), o, "{1,x}", "", "error: int4 text, byte 0: not an integer of its size"},
		{"no array", of(23, "int4", -1), o, "1", "", "error: array text, byte 0: no opening brace"},
		{"NOT NULL", required(of(23, "int4", -1)), o, "{}", "array of int32?", "[]"},
		{"text", of(25, "text", -1), o, `{a,"b,c","NULL",NULL,""}`, "array? of string?", `["a" "b,c" "NULL" null ""]`},
		{"bpchar(3)", of(1042, "bpchar", 7), o, `{"a  "}`, "array? of string?", `["a  "]`},
		{"bool", of(16, "bool", -1), o, "{t,f}", "array? of boolean?", "[true false]"},
		{"oid", of(26, "oid", -1), o, "{4000000000}", "array? of int64?", "[4000000000]"},
		{"float4", of(700, "float4", -1), o, "{1.5,NaN}", "array? of float?", "[1.5 NaN]"},
		{"bytea", of(17, "bytea", -1), o, `{"\\xff00"}`, "array? of bytes?", "[0xff00]"},
		{"bytea, hex", of(17, "bytea", -1), debezium.Options{Binary: debezium.BinaryHex}, `{"\\xff00"}`, "array? of string?", `["ff00"]`},
		{"numeric(5,2)", of(1700, "numeric", numericMod(5, 2)), o, "{1.10,NULL}", "array? of bytes? org.apache.kafka.connect.data.Decimal v1 scale=2 connect.decimal.precision=5", "[0x6e null]"},
		{"numeric", of(1700, "numeric", -1), o, "{1.10,NaN}", "array? of struct? io.debezium.data.VariableScaleDecimal v1 {scale int32, value bytes}", "[[1 0x0b] null]"},
		{"date", of(1082, "date", -1), o, "{1970-01-02}", "array? of int32? io.debezium.time.Date v1", "[1]"},
		{"time(3)", of(1083, "time", 3), o, "{00:00:01.5}", "array? of int32? io.debezium.time.Time v1", "[1500]"},
		{"timetz", of(1266, "timetz", -1), o, "{13:51:02+02}", "array? of string? io.debezium.time.ZonedTime v1", `["11:51:02Z"]`},
		{"timestamp", of(1114, "timestamp", -1), o, `{"1970-01-01 00:00:01"}`, "array? of int64? io.debezium.time.MicroTimestamp v1", "[1000000]"},
		{"timestamptz", of(1184, "timestamptz", -1), o, `{"2020-04-01 13:51:02+02"}`, "array? of string? io.debezium.time.ZonedTimestamp v1", `["2020-04-01T11:51:02.000000Z"]`},
		{"uuid", of(2950, "uuid", -1), o, "{76019d1a-ad2e-4b22-96e9-1a6d6543c818}", "array? of string? io.debezium.data.Uuid v1", `["76019d1a-ad2e-4b22-96e9-1a6d6543c818"]`},
		{"jsonb", of(3802, "jsonb", -1), o, `{"{\"a\": 1}"}`, "array? of string? io.debezium.data.Json v1", `["{\"a\": 1}"]`},
		{"daterange", of(3912, "daterange", -1), o, `{"[2019-03-31,infinity)"}`, "array? of string?", `["[2019-03-31,infinity)"]`},
		{"tsvector", of(3614, "tsvector", -1), o, `{'a':1}`, "array? of string? io.debezium.data.Tsvector v1", `["'a':1"]`},
		{"enum", columnOf(arrayOf(enumOf("sad", "glad")), -1), o, "{glad,NULL}", "array? of string? io.debezium.data.Enum v1 allowed=sad,glad", `["glad" null]`},
		{"citext", columnOf(arrayOf(extension("citext")), -1), o, "{Ab}", "array? of string?", `["Ab"]`},
		{"ltree", columnOf(arrayOf(extension("ltree")), -1), o, "{a.b,NULL}", "array? of string? io.debezium.data.Ltree v1", `["a.b" null]`},
		{"hstore", columnOf(arrayOf(extension("hstore")), -1), o, `{"\"a\"=>\"1\""}`, "array? of string? io.debezium.data.Json v1", `["{\"a\":\"1\"}"]`},
		{"geometry", columnOf(boxes, -1), o, "{010700000000000000:NULL}", "array? of struct? io.debezium.data.geometry.Geometry v1 {wkb bytes, srid int32?}", "[[0x010700000000000000 null] null]"},
		{"vector", columnOf(arrayOf(extension("vector")), -1), o, `{"[1,2]"}`, "array? of array? io.debezium.data.DoubleVector v1 of double", "[[1 2]]"},
		{"int2vector", columnOf(vector, -1), o, "1 2 -3", "array? of int16?", "[1 2 -3]"},
		{"oidvector, empty", columnOf(oids, -1), o, "", "array? of int64?", "[]"},
		{"arrays in an array", columnOf(arrayOf(vector), -1), o, `{"1 2"}`, "string?", `"{\"1 2\"}"`},
	})
}

func TestGeometries(t *testing.T) {
	var o debezium.Options
	point, geometry, geography := columnOf(pgType(600, "point"), -1), columnOf(extension("geometry"), -1), columnOf(extension("geography"), -1)
	const structOf = "struct? io.debezium.data.geometry."
	run(t, []conversion{
		{"point", point, o, "(1,2.5)", structOf + "Point v1 {x double, y double, wkb bytes?, srid int32?}", "[1 2.5 0x0101000000000000000000f03f0000000000000440 null]"},
		{"point NOT NULL, infinite", required(point), o, "(Infinity,NaN)", "struct io.debezium.data.geometry.Point v1 {x double, y double, wkb bytes?, srid int32?}", "[+Inf NaN 0x0101000000000000000000f07f000000000000f87f null]"},
		{"no point", point, o, "1,2", structOf + "Point v1 {x double, y double, wkb bytes?, srid int32?}", "error: point text, byte 0: no ("},
		{"geometry", geometry, o, "0101000000000000000000F03F0000000000000040", structOf + "Geometry v1 {wkb bytes, srid int32?}", "[0x0101000000000000000000f03f0000000000000040 null]"},
		{"geometry NOT NULL, whose schema is optional all the same", required(geometry), o, "0101000020E6100000000000000000F03F0000000000000040", "", "[0x0101000020e6100000000000000000f03f0000000000000040 4326]"},
		{"geometry, big-endian", geometry, o, "0020000001000010E63FF00000000000004000000000000000", "", "[0x0020000001000010e63ff00000000000004000000000000000 4326]"},
		{"geometry, too short", geometry, o, "01010000", "", "error: geometry text, byte 0: not the hexadecimal form of well-known binary"},
		{"geography", required(geography), o, "010700000000000000", "struct io.debezium.data.geometry.Geography v1 {wkb bytes, srid int32?}", "[0x010700000000000000 null]"},
	})
}

func TestVectors(t *testing.T) {
	var o debezium.Options
	vector, half, sparse := columnOf(extension("vector"), 3), columnOf(extension("halfvec"), -1), columnOf(extension("sparsevec"), -1)
	const sparseSchema = "struct? io.debezium.data.SparseDoubleVector v1 {dimensions int16, vector map of int16 of double}"
	run(t, []conversion{
		{"vector", vector, o, "[0.1,2,-3e-05]", "array? io.debezium.data.DoubleVector v1 of double", "[0.1 2 -3e-05]"},
		{"vector without brackets", vector, o, "1,2", "", "error: vector text, byte 0: no brackets around it"},
		{"vector with a hole", vector, o, "[1,,2]", "", "error: vector text, byte 0: not a number in its range"},
		{"halfvec", half, o, "[0.1]", "array? io.debezium.data.FloatVector v1 of float", "[0.10000000149011612]"},
		{"sparsevec", sparse, o, "{1:1.5,3:2}/5", sparseSchema, "[5 [1 1.5 3 2]]"},
		{"sparsevec in the order of Java's HashMap", sparse, o, "{3:1,4:2,8:3}/9", "", "[9 [4 2 8 3 3 1]]"},
		{"sparsevec without elements", sparse, o, "{}/5", "", "[5 []]"},
		{"sparsevec with many dimensions", sparse, o, "{1:1}/40000", "", "null"},
		{"sparsevec with an index outside", sparse, o, "{6:1}/5", "", "error: sparsevec text, byte 0: an element has no index within the dimensions"},
		{"sparsevec with too many elements", sparse, o, "{1:1,1:1}/1", "", "error: sparsevec text, byte 0: more elements than dimensions"},
		{"sparsevec without dimensions", sparse, o, "{1:1}", "", "error: sparsevec text, byte 0: no dimensions after a slash"},
		{"sparsevec(40000)", columnOf(extension("sparsevec"), 40000), o, "{1:1}/40000", "string?", `"{1:1}/40000"`},
	})
}
