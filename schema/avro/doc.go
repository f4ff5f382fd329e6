// Package avro carries Connect's values as Avro: the schema and the bytes are
// those of Confluent's AvroConverter with its default settings, behind Debezium's
// schema.name.adjustment.mode=avro and field.name.adjustment.mode=avro, so that
// what reads Debezium's Avro topics reads ours. [Compile] turns a schema into a
// [Codec] once; [Codec.Append] then writes rows without reflection and without
// allocation.
//
//	int8, int16           int, with connect.type
//	int32, int64          int, long
//	float32, float64      float, double
//	boolean               the same
//	string, bytes         string, bytes
//	array                 the same
//	map, keys are strings map
//	map, any other        array of records MapEntry { key, value }
//	struct                record; a nameless one is ConnectDefault, ConnectDefault2 and so on
//	optional              union of null and the type, null first unless it has a default
//	...connect.data.Decimal, Date, Time, Timestamp
//	                      logical types decimal, date, time-millis, timestamp-millis
//
// Other semantic types (io.debezium.time.Date and its like) stay what they are
// made of. Name, version, parameters, default and documentation are kept as
// connect.name, connect.version, connect.parameters, connect.default, connect.doc.
// A record is defined at its first use and named at every other.
//
// A name that Avro does not take is adjusted as Debezium does: what is no ASCII
// letter, digit or underscore becomes an underscore, and a leading digit gets one
// before it. Of fields' names that would become one, the later get an ending, see
// [connect.FieldNames]; records' names that would are an error of Compile.
//
// These are ours:
//
//   - A null is written as null wherever the schema takes one. The converter
//     writes the default of a field that has one, unless its setting
//     ignore.default.for.nullables is on: a NULL would be lost so.
//   - A record whose name comes again with other fields is an error. The converter
//     registers a schema that no reader can parse, or takes the first one's fields.
//   - A default that is not of its union's first branch, or is NaN or infinite, is
//     kept as connect.default only: not every reader takes it as a field's default.
//   - Text that is not UTF-8, which only SQL_ASCII databases hold, gets U+FFFD for
//     every byte that is wrong.
//   - The parameters with which the converter keeps Avro's own unions and fixed
//     types are errors: nothing of Postgres is one.
//
// Read codec.go, compile.go, record.go, properties.go, default.go, name.go,
// shape.go in that order.
package avro
