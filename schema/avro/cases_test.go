package avro_test

import (
	"math"

	"penstock/schema/connect"
)

func text(s string) connect.Value { return connect.Text([]byte(s)) }

func raw(s string) connect.Value { return connect.Raw([]byte(s)) }

func list(items ...connect.Value) connect.Value { return connect.List(items) }

func null() connect.Value { return connect.Value{} }

func of(k connect.Kind) *connect.Schema { return &connect.Schema{Kind: k} }

func optional(s *connect.Schema) *connect.Schema {
	o := *s
	o.Optional = true
	return &o
}

func named(k connect.Kind, name string, version int, parameters ...connect.Parameter) *connect.Schema {
	return &connect.Schema{Kind: k, Name: name, Version: version, Parameters: parameters}
}

func defaulted(s *connect.Schema, v connect.Value) *connect.Schema {
	d := *s
	d.Default = &v
	return &d
}

func array(elem *connect.Schema) *connect.Schema {
	return &connect.Schema{Kind: connect.Array, Elem: elem}
}

func mapOf(key, elem *connect.Schema) *connect.Schema {
	return &connect.Schema{Kind: connect.Map, Key: key, Elem: elem}
}

func structOf(name string, fields ...connect.Field) *connect.Schema {
	return &connect.Schema{Kind: connect.Struct, Name: name, Fields: fields}
}

func field(name string, s *connect.Schema) connect.Field { return connect.Field{Name: name, Schema: s} }

// example is a schema with one of its values.
type example struct {
	name   string
	schema *connect.Schema
	value  connect.Value
}

// examples are what testdata/converter.txt was recorded of.
func examples() []example {
	const data = "org.apache.kafka.connect.data."
	i32, i64, txt := of(connect.Int32), of(connect.Int64), of(connect.String)
	point := structOf("io.debezium.data.geometry.Point", field("x", of(connect.Float64)), field("y", of(connect.Float64)),
		field("wkb", optional(of(connect.Bytes))), field("srid", optional(i32)))
	point.Version, point.Doc = 1, "Geometry (POINT)"
	located := *point
	located.Parameters = []connect.Parameter{{Key: "__debezium.source.column.type", Value: "POINT"}}
	nameless := func() *connect.Schema { return structOf("", field("n", i32)) }
	documented := structOf("d.Record", field("n", i32))
	documented.Parameters = []connect.Parameter{
		{Key: "io.confluent.connect.avro.record.doc", Value: "a record"}, {Key: "io.confluent.connect.avro.field.doc.n", Value: "a number"},
	}
	entries := mapOf(i64, optional(txt))
	entries.Name = "a.b.Entries"
	of2 := func(s *connect.Schema) *connect.Schema { return structOf("t.T", field("a", s), field("b", s)) }

	return append([]example{
		{"boolean", of(connect.Boolean), connect.Bool(true)},
		{"int8", of(connect.Int8), connect.Int(-128)},
		{"int16", of(connect.Int16), connect.Int(32767)},
		{"int32", i32, connect.Int(math.MinInt32)},
		{"int64", i64, connect.Int(math.MaxInt64)},
		{"float32", of(connect.Float32), connect.Float(1.5)},
		{"float64", of(connect.Float64), connect.Float(-0.1)},
		{"string", txt, text("grün 🌱")},
		{"bytes in a field", structOf("B", field("b", of(connect.Bytes))), list(raw("\x00\xff"))},
		{"optional", optional(i32), connect.Int(7)},
		{"array", array(optional(txt)), list(text("a"), null(), text(""))},
		{"empty array", array(i32), list()},
		{"map", mapOf(txt, optional(i64)), list(text("k"), connect.Int(1))},
		{"empty map", mapOf(txt, txt), list()},
		{"map of other keys", mapOf(i32, txt), list(connect.Int(5), text("five"))},
		{"map of optional keys", optional(mapOf(optional(txt), optional(txt))), list(text("k"), null())},
		{"named map of other keys", entries, list(connect.Int(5), null())},
		{"struct", structOf("a.b.C", field("n", i32), field("s", optional(txt))), list(connect.Int(1), null())},
		{"struct without namespace", structOf("C", field("n", i32)), list(connect.Int(1))},
		{"struct in another namespace", structOf("a.A", field("b", structOf("b.B", field("n", i32))), field("again", structOf("b.B", field("n", i32)))),
			list(list(connect.Int(1)), list(connect.Int(2)))},
		{"struct called as a type", structOf("a.A", field("x", structOf("a.string", field("n", i32))), field("y", structOf("a.string", field("n", i32)))),
			list(list(connect.Int(1)), list(connect.Int(2)))},
		{"struct without namespace in one with", structOf("a.A", field("b", structOf("B", field("n", i32)))), list(list(connect.Int(1)))},
		{"nameless structs", structOf("", field("a", nameless()), field("b", optional(nameless())), field("c", structOf("", field("n", i64)))),
			list(list(connect.Int(1)), list(connect.Int(2)), list(connect.Int(3)))},
		{"repeated", of2(optional(point)), list(list(connect.Float(1), connect.Float(2), null(), null()), null())},
		{"repeated with parameters", of2(optional(&located)), list(null(), list(connect.Float(1), connect.Float(2), raw("\x01"), connect.Int(4326)))},
		{"repeated in an array", of2(array(point)), list(list(), list(list(connect.Float(1), connect.Float(2), null(), null())))},
		{"documentation", documented, list(connect.Int(1))},
		envelope(),

		{"Decimal", named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "2"}, connect.Parameter{Key: "connect.decimal.precision", Value: "5"}), null()},
		{"Decimal without precision", structOf("D", field("d", named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "0"}))), list(raw("\x01\x00"))},
		{"Decimal of more scale than precision", named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "5"}, connect.Parameter{Key: "connect.decimal.precision", Value: "2"}), null()},
		{"Decimal of negative scale", named(connect.Bytes, data+"Decimal", 1, connect.Parameter{Key: "scale", Value: "-3"}), null()},
		{"Date", named(connect.Int32, data+"Date", 1), connect.Int(-1)},
		{"Time", named(connect.Int32, data+"Time", 1), connect.Int(86399999)},
		{"Timestamp", optional(named(connect.Int64, data+"Timestamp", 1)), connect.Int(1700000000000)},
		{"Debezium's types", optional(named(connect.Int64, "io.debezium.time.MicroTimestamp", 1)), connect.Int(5)},
		{"an enum", named(connect.String, "io.debezium.data.Enum", 1, connect.Parameter{Key: "allowed", Value: `a,"b"\`}), text("a")},
		{"properties under their own names", named(connect.String, "s", 0, connect.Parameter{Key: "avro.java.string", Value: "String"}), text("a")},
	}, defaultExamples()...)
}

// envelope is a change of a table as Debezium makes it.
func envelope() example {
	row := optional(structOf("srv.public.orders.Value", field("id", of(connect.Int32)), field("at", optional(named(connect.Int64, "io.debezium.time.MicroTimestamp", 1))),
		field("note", optional(defaulted(of(connect.String), text("none"))))))
	source := structOf("io.debezium.connector.postgresql.Source", field("version", of(connect.String)),
		field("snapshot", optional(defaulted(named(connect.String, "io.debezium.data.Enum", 1, connect.Parameter{Key: "allowed", Value: "true,first,last,false"}), text("false")))),
		field("lsn", optional(of(connect.Int64))))
	block := structOf("event.block", field("id", of(connect.String)), field("total_order", of(connect.Int64)))
	block.Version = 1
	schema := structOf("srv.public.orders.Envelope", field("before", row), field("after", row), field("source", source),
		field("transaction", optional(block)), field("op", of(connect.String)), field("ts_ms", optional(of(connect.Int64))))
	schema.Version = 2
	return example{"envelope", schema, list(null(), list(connect.Int(1), connect.Int(2), text("x")),
		list(text("1.0"), text("true"), connect.Int(99)), null(), text("c"), connect.Int(1700000000000))}
}

func defaultExamples() []example {
	one := func(s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value) {
		return structOf("t.T", field("f", s)), list(v)
	}
	var all []example
	add := func(name string, s *connect.Schema, v connect.Value) {
		s, v = one(s, v)
		all = append(all, example{"default: " + name, s, v})
	}
	i32, txt := of(connect.Int32), of(connect.String)
	flagged := named(connect.Int32, "", 0, connect.Parameter{Key: "io.confluent.connect.avro.field.default", Value: "true"}, connect.Parameter{Key: "p", Value: "q"})
	add("boolean", defaulted(of(connect.Boolean), connect.Bool(false)), connect.Bool(true))
	add("int16, optional", optional(defaulted(of(connect.Int16), connect.Int(3))), connect.Int(4))
	add("int64", defaulted(of(connect.Int64), connect.Int(math.MinInt64)), connect.Int(4))
	add("float32", defaulted(of(connect.Float32), connect.Float(float64(float32(0.1)))), connect.Float(2))
	add("float64", defaulted(of(connect.Float64), connect.Float(1e21)), connect.Float(2))
	add("string", optional(defaulted(txt, text("a \"quoted\"\n<text> é"))), text("x"))
	add("bytes", defaulted(of(connect.Bytes), raw("\x00a\xff")), raw("x"))
	add("array", defaulted(array(i32), list(connect.Int(1), connect.Int(2))), list())
	add("map", optional(defaulted(mapOf(txt, i32), list(text("k"), connect.Int(2)))), list())
	add("of a flagged schema", defaulted(flagged, connect.Int(5)), connect.Int(6))
	add("of another type's", named(connect.Int32, "io.debezium.time.Date", 1), connect.Int(6))
	return all
}
