package debezium_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/debezium"
)

func TestTexts(t *testing.T) {
	var o debezium.Options
	for oid, name := range map[uint32]string{
		18: "char", 25: "text", 1043: "varchar", 869: "inet", 650: "cidr", 829: "macaddr", 774: "macaddr8",
		3904: "int4range", 3926: "int8range", 3906: "numrange", 3908: "tsrange", 3910: "tstzrange", 3912: "daterange",
	} {
		run(t, []conversion{{name, columnOf(pgType(oid, name), -1), o, "as it is", "string?", `"as it is"`}})
	}
	another := pgType(16700, "date") // a type of a user with a known name
	another.Schema = "public"
	composite := extension("vector")
	composite.Kind = schema.TypeComposite
	run(t, []conversion{
		{"char(5) with its padding", columnOf(pgType(1042, "bpchar"), 9), o, "ab   ", "string?", `"ab   "`},
		{"json", columnOf(pgType(114, "json"), -1), o, `{"a" : 1}`, "string? io.debezium.data.Json v1", `"{\"a\" : 1}"`},
		{"jsonb NOT NULL", required(columnOf(pgType(3802, "jsonb"), -1)), o, `{}`, "string io.debezium.data.Json v1", `"{}"`},
		{"uuid", columnOf(pgType(2950, "uuid"), -1), o, "76019d1a-ad2e-4b22-96e9-1a6d6543c818", "string? io.debezium.data.Uuid v1", `"76019d1a-ad2e-4b22-96e9-1a6d6543c818"`},
		{"xml", columnOf(pgType(142, "xml"), -1), o, "<a/>", "string? io.debezium.data.Xml v1", `"<a/>"`},
		{"tsvector", columnOf(pgType(3614, "tsvector"), -1), o, "'a':1", "string? io.debezium.data.Tsvector v1", `"'a':1"`},
		{"citext", columnOf(extension("citext"), -1), o, "Ab", "string?", `"Ab"`},
		{"isbn", columnOf(extension("isbn"), -1), o, "0-393-04002-X", "string?", `"0-393-04002-X"`},
		{"ltree", columnOf(extension("ltree"), -1), o, "Top.Science", "string? io.debezium.data.Ltree v1", `"Top.Science"`},
		{"enum", columnOf(enumOf("sad", "ok", "happy"), -1), o, "ok", "string? io.debezium.data.Enum v1 allowed=sad,ok,happy", `"ok"`},
		{"enum value that is newer than the column", columnOf(enumOf("sad"), -1), o, "meh", "string? io.debezium.data.Enum v1 allowed=sad", `"meh"`},
		{"a user's type with a built-in name", columnOf(another, -1), o, "today", "string?", `"today"`},
		{"a composite with an extension's name", columnOf(composite, -1), o, "(1)", "string?", `"(1)"`},
	})
}

func TestHStore(t *testing.T) {
	hstore := columnOf(extension("hstore"), -1)
	json, asMap := debezium.Options{}, debezium.Options{HStore: debezium.HStoreMap}
	run(t, []conversion{
		{"json", hstore, json, `"a"=>"1", "b"=>NULL`, "string? io.debezium.data.Json v1", `"{\"a\":\"1\",\"b\":null}"`},
		{"json, empty", hstore, json, ``, "", `"{}"`},
		{"json, in the order of Java's HashMap", hstore, json, `"aa"=>"1", "b"=>"2", "ccc"=>"3", "€"=>"4", "𝄞"=>"5"`, "", `"{\"aa\":\"1\",\"𝄞\":\"5\",\"b\":\"2\",\"ccc\":\"3\",\"€\":\"4\"}"`},
		{"json, quotes", hstore, json, `"a\"b"=>"c\\d"`, "", `"{\"a\\\"b\":\"c\\\\d\"}"`},
		{"none", hstore, json, `a=>1`, "", "error: hstore text, byte 0: no quoted key"},
		{"map", hstore, asMap, `"a"=>"1", "b"=>NULL`, "map? of string of string?", `["a" "1" "b" null]`},
		{"map, empty", hstore, asMap, ``, "", `[]`},
	})
}

func TestBinary(t *testing.T) {
	bytea := columnOf(pgType(17, "bytea"), -1)
	mode := func(b debezium.Binary) debezium.Options { return debezium.Options{Binary: b} }
	run(t, []conversion{
		{"bytes", bytea, mode(debezium.BinaryBytes), `\xfbff`, "bytes?", "0xfbff"},
		{"bytes, none", bytea, mode(debezium.BinaryBytes), `\x`, "", "0x"},
		{"bytes, bytea_output escape", bytea, mode(debezium.BinaryBytes), `a\\\377`, "", "0x615cff"},
		{"no bytea", bytea, mode(debezium.BinaryBytes), `\xf`, "", "error: bytea text, byte 2: an odd number of digits, or one that is not hexadecimal"},
		{"base64", bytea, mode(debezium.BinaryBase64), `\xfbff`, "string?", `"+/8="`},
		{"base64-url-safe", bytea, mode(debezium.BinaryBase64URLSafe), `\xfbff`, "", `"-_8="`},
		{"hex", bytea, mode(debezium.BinaryHex), `\xFBff`, "", `"fbff"`},
		{"hex, no bytea", bytea, mode(debezium.BinaryHex), `\xzz`, "", "error: bytea text, byte 2: an odd number of digits, or one that is not hexadecimal"},
	})
}

func TestBits(t *testing.T) {
	var o debezium.Options
	bit, varbit := pgType(1560, "bit"), pgType(1562, "varbit")
	run(t, []conversion{
		{"bit(1)", columnOf(bit, 1), o, "1", "boolean?", "true"},
		{"varbit(1)", columnOf(varbit, 1), o, "0", "boolean?", "false"},
		{"varbit(1), empty", columnOf(varbit, 1), o, "", "boolean?", "null"},
		{"no bit", columnOf(bit, 1), o, "2", "boolean?", "error: bit text, byte 0: neither 0 nor 1"},
		{"bit(24)", columnOf(bit, 24), o, "000000110000001000000001", "bytes? io.debezium.data.Bits v1 length=24", "0x010203"},
		{"bit(24) with zeros in front", columnOf(bit, 24), o, "000000000000000000000101", "", "0x05"},
		{"bit(24) of zeros", columnOf(bit, 24), o, "000000000000000000000000", "", "0x"},
		{"varbit", columnOf(varbit, -1), o, "101", "bytes? io.debezium.data.Bits v1 length=2147483647", "0x05"},
		{"no bits", columnOf(varbit, -1), o, "102", "", "error: bit text, byte 2: neither 0 nor 1"},
		{"varbit(5)", columnOf(varbit, 5), o, "", "bytes? io.debezium.data.Bits v1 length=5", "0x"},
	})
}
