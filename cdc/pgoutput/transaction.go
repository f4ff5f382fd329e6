package pgoutput

import (
	"math"

	"penstock/schema"
)

// Begin opens a transaction. All changes up to the next [Commit] are its own:
// but for streamed ones, committed transactions come one after the other, in
// commit order.
type Begin struct {
	FinalLSN   schema.LSN // start of the transaction's commit record
	CommitTime int64      // microseconds since the Unix epoch
	XID        uint32
}

func (m *Begin) decode(c *cursor) {
	m.FinalLSN = c.lsn("final LSN")
	m.CommitTime = c.time("commit time")
	m.XID = c.uint32("transaction id")
}

// Commit closes a transaction.
type Commit struct {
	Flags      byte       // unused by the protocol, 0 so far
	CommitLSN  schema.LSN // start of the commit record: the FinalLSN of its Begin
	EndLSN     schema.LSN // end of the commit record: what to confirm to the server
	CommitTime int64      // microseconds since the Unix epoch
}

func (m *Commit) decode(c *cursor) {
	m.Flags = c.byte("flags")
	m.CommitLSN = c.lsn("commit LSN")
	m.EndLSN = c.lsn("end LSN")
	m.CommitTime = c.time("commit time")
}

// Origin follows the [Begin] of a transaction that was replicated into the source
// from another server.
type Origin struct {
	CommitLSN schema.LSN // on the origin server, in its own log
	Name      string
}

func (m *Origin) decode(c *cursor) {
	m.CommitLSN = c.lsn("origin's commit LSN")
	m.Name = c.text("origin name")
}

// postgresEpoch is 2000-01-01 00:00:00 UTC in microseconds since the Unix epoch.
const postgresEpoch = 946_684_800_000_000

// time reads microseconds since the Postgres epoch and moves them to the Unix
// epoch. The few values that do not fit become the largest that does.
func (c *cursor) time(field string) int64 {
	t := int64(c.uint64(field))
	if t > math.MaxInt64-postgresEpoch {
		return math.MaxInt64
	}
	return t + postgresEpoch
}
