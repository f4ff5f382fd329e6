// Package slot administers what a capture needs in the source database: its
// replication slot and its publication. It asks and changes them over an ordinary
// SQL connection and never streams.
//
// An error that an operator can act on is a *fault.Error that names the object, the
// reason and the statement that mends it.
//
// Read status.go, slot.go, publication.go, then fault.go for how the server's
// errors become faults.
package slot
