// Package connect is Kafka Connect's data model: the schemas and values that
// everything which reads Debezium's topics expects, whatever bytes carry them.
// Mappings (package debezium) turn rows into values; converters (JSON here, Avro
// and Protobuf in packages of their own) turn values into bytes.
//
// Read schema.go, value.go, json.go, jsonschema.go in that order.
package connect
