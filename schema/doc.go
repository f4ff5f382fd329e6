// Package schema is the language that the capture and the sink speak: log
// positions, relations, tuples and events. It imports the standard library only
// and does no I/O; the bytes on the topics are package record's.
//
// Read lsn.go, relation.go, tuple.go, event.go, position.go in that order.
package schema
