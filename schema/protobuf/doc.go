// Package protobuf carries Connect's values as Protobuf: the schema, as text for
// a registry, and the wire bytes are those of Confluent's ProtobufConverter with
// its default settings, so that what reads Debezium's topics through it reads
// ours. [Compile] turns a schema into a [Codec] once; [Codec.Append] then writes
// rows without reflection and without allocation.
//
// The schema of a record is one proto3 file with one message. Connect's name
// a.b.C becomes package a.b, message C; structs and maps are messages nested in
// the message that uses them; a nameless one is ConnectDefault1, 2 and so on.
// Fields are numbered from 1 in their order.
//
//	int8, int16           int32, with connect.type in confluent.field_meta
//	int32, int64          int32, int64
//	float32, float64      float, double
//	boolean               bool
//	string, bytes         string, bytes
//	array                 repeated
//	map                   repeated ...Entry { key = 1; value = 2 }
//	struct                a nested message
//	...connect.data.Decimal, Date, Time, Timestamp
//	                      confluent.type.Decimal, google.type.Date,
//	                      google.type.TimeOfDay, google.protobuf.Timestamp
//
// Other semantic types (io.debezium.time.Date and its like) stay what they are
// made of, and their names, versions, parameters and documentation are not in the
// schema: the converter does not keep them either.
//
// # Where information is lost
//
// These follow the converter:
//
//   - A null array or map reads as an empty one.
//   - A Time of 24:00:00 becomes 00:00:00.
//   - A Date before 1582-10-15 is written in the Julian calendar.
//
// These are ours, where the converter has no answer or a wrong one:
//
//   - A scalar that takes null is optional: a reader can tell null from 0, false and
//     "", also where the schema has a default. The converter does so with
//     optional.for.nullables=true; by default null is the default, or zero. The bytes of
//     values that are not zero, and what readers of the other schema see, are the same.
//   - In a struct within the record all scalars are optional, also those that take no
//     null: a column that ceases to take it has the schema that it had. Some registries
//     call the other one incompatible.
//   - A null in another field that takes none is the schema's default, else zero.
//   - A null array element becomes zero, "" or an empty message, so that the other
//     elements keep their places. The converter fails.
//   - A name that is no Protobuf identifier is scrubbed as the converter does with
//     scrub.invalid.names=true; by default it fails. Names that are identifiers
//     stay, also those that begin with an underscore. An empty part of a dotted
//     name becomes an underscore.
//   - A year before Christ is written as 0 (1 BC) or less. The converter writes the
//     year without its era, which nobody can tell from a year after Christ.
//   - The file confluent/meta.proto is imported where its options are used, without
//     which a Protobuf compiler does not take the schema.
//   - Text that is not UTF-8 gets U+FFFD for every byte that is wrong.
//
// An array of arrays or of maps, for which the converter fails too, is repeated
// messages ...Item { items = 1 }, each with one of them.
//
// Of names that would become one, or one in Protobuf's JSON, the later get an ending;
// see [connect.FieldNames]. A type that would have a field's name gets the ending
// Message.
//
// Read codec.go, compile.go, types.go, name.go, text.go, wire.go, logical.go,
// decimal.go, reference.go in that order.
package protobuf
