package workload

// Outcome is what a client knows of its transaction.
type Outcome uint8

// The outcomes.
const (
	OK      Outcome = iota // the server has confirmed the commit
	Fail                   // it was not committed: rolled back, or ended before COMMIT was sent
	Unknown                // the connection broke after COMMIT was sent
)

// String names the outcome.
func (o Outcome) String() string { return [...]string{"ok", "fail", "unknown"}[o] }

// Op is one transaction of one worker. (Worker, N) is its tag, which the history
// keeps too.
type Op struct {
	Worker  int32
	N       int64
	Outcome Outcome
	XID     uint64 // pg_current_xact_id, 0 when it did not come back; a server that broke down may give it again
	Changes int64  // by the server's command tags, without what a savepoint undid
}

// Log is what the clients know: an oracle that saw neither triggers nor the log
// of Postgres.
type Log struct {
	Seed uint64
	Ops  []Op
}

// Count is how many transactions had the outcome.
func (l *Log) Count(o Outcome) int {
	n := 0
	for i := range l.Ops {
		if l.Ops[i].Outcome == o {
			n++
		}
	}
	return n
}
