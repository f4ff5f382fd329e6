// Package cloudevents makes CloudEvents 1.0 of change envelopes, with the
// attributes that Debezium's CloudEvents converter gives them: as headers beside a
// record's value (binary content mode), or as a JSON value that holds all
// (structured content mode, the only one that the converter has).
//
//	id               name:<prefix>;lsn:<lsn>;txId:<xid>;sequence:<sequence>;version:<version>
//	source           /debezium/<connector>/<prefix>
//	specversion      1.0
//	type             io.debezium.connector.<connector>.DataChangeEvent
//	time             source.ts_ms, in UTC
//	datacontenttype  what the value or the data is: application/json
//	dataschema       where its schema is, when it is in a registry
//	iodebeziumop     the operation
//	iodebezium...    every field of the source block, such as iodebeziumtsms,
//	                 iodebeziumtable, iodebeziumtxId
//	iodebeziumtx...  the fields of the transaction block
//
// Numbers of 64 bits are texts. A field that is null is null in JSON and has no
// header. The part ;version: of the id is ours: all changes of a transaction have
// its commit's LSN, and CloudEvents wants an id of its own for each event. A
// record without a version has none, and then Debezium's id.
//
// The converter writes no event for a message of pg_logical_emit_message; here it is
// one like any other, whose data is the message.
//
// Headers are those of the Kafka binding: ce_id and so on, and content-type for
// datacontenttype. Readers of headers take names without regard to case, so
// ce_iodebeziumtxId, from the source block, gives way to ce_iodebeziumtxid of the
// transaction block, which comes after it.
//
// Read events.go, headers.go, structured.go in that order.
package cloudevents
