package schema

// Op is what happened to a row or a table, with Debezium's operation codes.
type Op byte

// The operations.
const (
	OpCreate   Op = 'c'
	OpUpdate   Op = 'u'
	OpDelete   Op = 'd'
	OpTruncate Op = 't'
	OpRead     Op = 'r' // a row that a snapshot read: it is in New
	OpMessage  Op = 'm' // pg_logical_emit_message
)

// Event is one change of one row, one row that was read, one table's truncation
// or one message. Tuples alias the buffer they were decoded from: an Event is
// valid only until its maker says.
type Event struct {
	Op       Op
	Relation *Relation // nil for OpMessage
	Message  *Message  // of OpMessage, else nil

	// Old is the row before the change as far as the replica identity holds it:
	// every column under IdentityFull, else the identity's columns with the rest
	// Null. On an update under IdentityDefault or IdentityIndex it is nil unless
	// a column of the identity changed.
	Old Tuple
	// New is the row after the change; nil for OpDelete, OpTruncate and OpMessage.
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

	// TotalSeq and TableSeq number what transaction metadata counts in the transaction,
	// from 0: all of it, and that of the change's table, or the messages.
	TotalSeq, TableSeq uint64
	Snapshot           Snapshot // of what was read, and not streamed; else empty

	// Origin names the replication origin of a transaction that came from another
	// server, OriginLSN is its commit there. Empty and 0 for the source's own.
	Origin    string
	OriginLSN LSN
}

// HeartbeatPrefix is that of the logical messages that a capture writes to the log, and
// whoever waits for its position: none is an event, but each has the server tell an
// idle capture how far it is.
const HeartbeatPrefix = "penstock.heartbeat"

// Message is what pg_logical_emit_message wrote. Content aliases the buffer it
// was decoded from, as tuples do.
type Message struct {
	Prefix  string
	Content []byte
	// Transactional tells that the message is part of a transaction. Any other has
	// no XID and no CommitTime, and its CommitLSN is its own place in the log.
	Transactional bool
}

// Snapshot is where in a snapshot a row was read, in Debezium's words.
type Snapshot string

// The places of a row in a snapshot.
const (
	SnapshotFirst        Snapshot = "first"                    // of the whole
	SnapshotFirstOfTable Snapshot = "first_in_data_collection" // of its table
	SnapshotAny          Snapshot = "true"                     // any other
	SnapshotLastOfTable  Snapshot = "last_in_data_collection"
	SnapshotLast         Snapshot = "last"
	SnapshotIncremental  Snapshot = "incremental" // read while changes were streamed; it has no place in the log
)

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
