package cdc

// Failpoint names a place in the capture where a crash is worth a test. Whoever
// sets [Config.Failpoint] is called there, and may end the process or cut its
// connections; in production nobody does.
type Failpoint string

// The failpoints, in the order in which a capture meets them.
const (
	FailLeased       Failpoint = "leased"        // the slot is taken, nothing is fenced
	FailFenced       Failpoint = "fenced"        // older producers are fenced, the position is not read
	FailPositionRead Failpoint = "position-read" // nothing is confirmed in this life
	FailBegin        Failpoint = "begin"         // before a Kafka transaction begins
	FailProduced     Failpoint = "produced"      // the first records of a transaction are handed over
	FailSplit        Failpoint = "split"         // a part of a commit is to be committed
	FailFlushed      Failpoint = "flushed"       // every record has its answer, EndTxn is not sent
	FailEndTxnSent   Failpoint = "end-txn-sent"  // EndTxn is written to the connection, unanswered
	FailEndTxnAcked  Failpoint = "end-txn-acked" // the transaction is committed, nothing is confirmed
	FailConfirmed    Failpoint = "confirmed"     // the stream may tell Postgres
	FailReported     Failpoint = "reported"      // Postgres has been told
	FailIdle         Failpoint = "idle"          // a position of its own is to be written for an idle stream
	FailStopping     Failpoint = "stopping"      // a graceful stop has begun
	FailCopied       Failpoint = "copied"        // the rows of a chunk are handed over
	FailSlotDropped  Failpoint = "slot-dropped"  // a recovery has dropped the slot, and made no other yet
)

// Failpoints lists those of the stream: all but those of backfills and recoveries.
func Failpoints() []Failpoint {
	return []Failpoint{
		FailLeased, FailFenced, FailPositionRead, FailBegin, FailProduced, FailSplit, FailFlushed, FailEndTxnSent,
		FailEndTxnAcked, FailConfirmed, FailReported, FailIdle, FailStopping,
	}
}

// reach calls whoever waits for a failpoint.
func (c *Config) reach(p Failpoint) {
	if c.Failpoint != nil {
		c.Failpoint(p)
	}
}
