package pgoutput

import (
	"encoding/binary"

	"penstock/schema"
)

// StreamStart opens a block of changes of a transaction that has not committed.
// Blocks do not nest, and those of several transactions alternate. Until the next
// [StreamStop] every message but an [Origin] carries the id of the transaction or
// subtransaction that it belongs to, which [Unstream] takes out.
type StreamStart struct {
	XID   uint32 // of the transaction, never of a subtransaction
	First bool   // the transaction's first block
}

// streamFirst flags a transaction's first block.
const streamFirst = 1

func (m *StreamStart) decode(c *cursor) {
	m.XID = c.uint32("transaction id")
	m.First = c.flags(streamFirst, "first segment") != 0
}

// StreamStop closes a block. The transaction may go on in a later one.
type StreamStop struct{}

func (*StreamStop) decode(*cursor) {}

// StreamCommit says that a streamed transaction has committed, here and now in
// the order of commits.
type StreamCommit struct {
	XID        uint32
	Flags      byte       // as in [Commit]
	CommitLSN  schema.LSN // start of the commit record
	EndLSN     schema.LSN // end of the commit record
	CommitTime int64      // microseconds since the Unix epoch
}

func (m *StreamCommit) decode(c *cursor) {
	m.XID = c.uint32("transaction id")
	m.Flags = c.byte("flags")
	m.CommitLSN = c.lsn("commit LSN")
	m.EndLSN = c.lsn("end LSN")
	m.CommitTime = c.time("commit time")
}

// AppendBegin appends the [Begin] that the server would have sent first, had it
// not streamed the transaction.
func (m *StreamCommit) AppendBegin(b []byte) []byte {
	b = append(b, byte(KindBegin))
	b = binary.BigEndian.AppendUint64(b, uint64(m.CommitLSN))
	b = appendTime(b, m.CommitTime)
	return binary.BigEndian.AppendUint32(b, m.XID)
}

// AppendCommit appends the [Commit] that goes with the Begin.
func (m *StreamCommit) AppendCommit(b []byte) []byte {
	b = append(b, byte(KindCommit), m.Flags)
	b = binary.BigEndian.AppendUint64(b, uint64(m.CommitLSN))
	b = binary.BigEndian.AppendUint64(b, uint64(m.EndLSN))
	return appendTime(b, m.CommitTime)
}

// appendTime is the inverse of cursor.time.
func appendTime(b []byte, micros int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(micros-postgresEpoch))
}

// StreamAbort takes back what was streamed of a subtransaction, or all of a
// transaction. A subtransaction's own ones have an abort each, before it.
type StreamAbort struct {
	XID    uint32 // of the transaction
	SubXID uint32 // of the subtransaction that is rolled back, or XID again for all
}

func (m *StreamAbort) decode(c *cursor) {
	m.XID = c.uint32("transaction id")
	m.SubXID = c.uint32("subtransaction id")
}

// unstreamed is how far the version 1 form of a streamed message begins behind it.
const unstreamed = 4

// Unstream returns the transaction or subtransaction that a message within a
// block belongs to, and the message in the form that it has outside: the one that
// [Decoder.Parse] reads, and the same bytes that an unstreamed transaction has.
// The error is a *[FormatError].
//
// It works in place, without a copy: the message is the end of data, and its kind
// overwrites the id's last byte. So data is of no other use after it, and must not
// be unstreamed again. An [Origin] has no id; it comes back as it is, with 0.
func Unstream(data []byte) (xid uint32, message []byte, err error) {
	c := cursor{data: data}
	kind := Kind(c.byte("message kind"))
	switch kind {
	case KindOrigin:
		return 0, data, nil
	case KindRelation, KindType, KindInsert, KindUpdate, KindDelete, KindTruncate, KindLogicalMessage:
		xid = c.uint32("transaction id")
	default:
		c.failAt(0, "kind %q cannot be in a block of a streamed transaction", byte(kind))
	}
	if c.err != nil {
		return 0, nil, c.err
	}
	data[unstreamed] = byte(kind)
	return xid, data[unstreamed:], nil
}
