// Package format renders changes as the records that a table's own topic carries:
// Debezium's envelope as JSON, Avro or Protobuf, or the row alone.
//
// Read format.go, then envelope.go and row.go.
package format
