// Package pgoutput decodes the messages of Postgres' logical replication output
// plugin, protocol versions 1 and 2, as described in the Postgres documentation under
// "Logical Replication Message Formats"
// (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html).
//
// The decoder is pure and total. It does no I/O and keeps no state between
// messages: every input is either exactly one message or a [FormatError]. Nothing
// is allocated from a length that the bytes at hand do not cover, and nothing that
// the server sends is thrown away, so an unknown flag is an error too.
//
// What takes memory of earlier messages is the caller's: that a row's relation was
// announced and has as many columns as the row, and that Begin and Commit pair up.
//
// Read message.go for the set of messages and the [Decoder], then tuple.go and
// row.go for rows, stream.go for transactions that are sent before they commit, and
// cursor.go for the reads that cannot overrun.
package pgoutput
