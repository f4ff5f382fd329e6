// Package record is the bytes on the topics: keys, values, headers, and what the
// capture remembers. Encoders append to the caller's buffer and cannot fail; parsers
// are total. Standard library only.
//
// Read headers.go, value.go, envelope.go, parse.go, position.go, relation.go in that order.
package record
