package schema

// Op is what happened to a row or a table, with Debezium's operation codes.
type Op byte

// The operations.
const (
	OpCreate   Op = 'c'
	OpUpdate   Op = 'u'
	OpDelete   Op = 'd'
	OpTruncate Op = 't'
)

// Event is one change of one row, or one table's truncation. Tuples alias the
// buffer they were decoded from: an Event is valid only until its maker says.
type Event struct {
	Op       Op
	Relation *Relation

	// Old is the row before the change as far as the replica identity holds it:
	// every column under IdentityFull, else the identity's columns with the rest
	// Null. On an update under IdentityDefault or IdentityIndex it is nil unless
	// a column of the identity changed.
	Old Tuple
	// New is the row after the change; nil for OpDelete and OpTruncate.
	New Tuple

	Source Source

	// Version orders all changes of one source and is what every sink compares.
	// See [Clock]. The version just below it is reserved for the leaving half of
	// an update that moves a row to another key.
	Version int64
}

// Source says where in the log an event stands.
type Source struct {
	CommitLSN  LSN    // start of the transaction's commit record: equal for all its events
	Seq        uint64 // ordinal of the change within its transaction, from 0
	XID        uint32
	CommitTime int64 // microseconds since the Unix epoch, by the source's clock
}

// Clock is a hybrid logical clock in microseconds since the Unix epoch: it
// follows commit times, never stands still and never goes back, whatever the
// source's clock does. Its state is part of [Position], so versions go on
// strictly increasing over restarts. Not safe for concurrent use.
type Clock struct{ Last int64 }

// Tick returns max(previous+2, commitTime) and remembers it. Two versions are
// taken each time because one event may be both a row's leaving and its arrival.
func (c *Clock) Tick(commitTime int64) int64 {
	c.Last = max(c.Last+2, commitTime)
	return c.Last
}
