package cdc

import (
	"fmt"

	"penstock/cdc/pgoutput"
	"penstock/schema"
	"penstock/schema/debezium"
)

// Assembler turns the messages of a slot into events and commit boundaries. It
// is pure: no context, clock, logger or connection. Not safe for concurrent use.
//
// Postgres sends a transaction again from its BEGIN whenever it was not
// confirmed, so the assembler drops, by commit LSN, every transaction that the
// position says is in Kafka already, and of a commit that is partly there as many
// change messages as the position says. Only commit LSNs are ordered over the
// whole stream; a row's own LSN is not.
type Assembler struct {
	relations map[uint32]*schema.Relation
	clock     schema.Clock
	delivered schema.LSN        // transactions whose commit record starts below it are in Kafka
	open      schema.OpenCommit // partly in Kafka, and the next to come; zero once its known part has come

	takes         func(prefix string) bool // whether a message becomes an event; nil: none does
	weigh         weigh
	inTransaction bool
	skipping      bool           // the whole transaction
	source        schema.Source  // of the transaction under way; Seq is the next change's
	tally         tally          // of the transaction under way
	events        []schema.Event // backs the last Step
}

// weigh says how much transaction metadata counts for a change; nil counts each as
// one. It must always say the same of the same change: what Kafka has is counted again.
type weigh func(op schema.Op, rel *schema.Relation, before, after schema.Tuple) uint64

// Step is what one message amounts to. The order to act in: Events first, then
// the Boundary.
type Step struct {
	// Events point into the message's bytes and into the assembler: they are valid
	// until the next call.
	Events []schema.Event
	// Boundary, unless zero, is the end LSN of a transaction that is now complete,
	// or the point below which an idle stream has nothing more to send.
	Boundary schema.LSN
}

// NewAssembler starts from a position.
func NewAssembler(from schema.Position) *Assembler {
	return &Assembler{
		relations: map[uint32]*schema.Relation{},
		clock:     schema.Clock{Last: from.Version},
		delivered: from.EndLSN,
		open:      from.Open,
	}
}

// Version is the version of the last event, for the position.
func (a *Assembler) Version() int64 { return a.clock.Last }

// InTransaction reports whether the last message lies inside a transaction.
func (a *Assembler) InTransaction() bool { return a.inTransaction }

// Open describes the transaction under way as a position that is committed now
// has to, or is zero between transactions.
func (a *Assembler) Open() schema.OpenCommit {
	if !a.inTransaction || a.skipping || a.tally.messages == 0 {
		return schema.OpenCommit{}
	}
	return schema.OpenCommit{
		FinalLSN: a.source.CommitLSN, XID: a.source.XID, N: a.tally.messages, Hash: a.tally.sum(),
	}
}

// Mark is the begin or the end mark of the last transaction.
func (a *Assembler) Mark(end bool) debezium.Boundary {
	b := debezium.Boundary{End: end, Source: a.source}
	if end {
		b.Counts = a.tally.counts()
	}
	return b
}

// Keepalive takes the server's word that it has sent everything below walEnd. It
// is a boundary only between transactions, and only if it moves forward.
func (a *Assembler) Keepalive(walEnd schema.LSN) (Step, error) {
	if a.inTransaction || walEnd <= a.delivered {
		return Step{}, nil
	}
	if !a.open.IsZero() {
		if walEnd <= a.open.FinalLSN {
			return Step{}, nil
		}
		return Step{}, a.diverged("everything below %s was sent, but not that transaction", walEnd)
	}
	a.delivered = walEnd
	return Step{Boundary: walEnd}, nil
}

// Message takes the next message; data is what it was decoded from. An error
// means that the stream cannot be understood, and names the place; nothing may be
// delivered after it.
func (a *Assembler) Message(msg pgoutput.Message, data []byte) (Step, error) {
	switch m := msg.(type) {
	case *pgoutput.Begin:
		return Step{}, a.begin(m)
	case *pgoutput.Commit:
		return a.commit(m)
	case *pgoutput.Relation:
		a.relations[m.OID] = m.Relation
		return Step{}, nil
	case *pgoutput.Type:
		return Step{}, nil
	case *pgoutput.Origin:
		a.source.Origin, a.source.OriginLSN = m.Name, m.CommitLSN
		return Step{}, nil
	case *pgoutput.Insert:
		return a.row(data, schema.OpCreate, m.RelationOID, nil, m.New)
	case *pgoutput.Update:
		return a.row(data, schema.OpUpdate, m.RelationOID, m.Old, m.New)
	case *pgoutput.Delete:
		return a.row(data, schema.OpDelete, m.RelationOID, m.Old, nil)
	case *pgoutput.Truncate:
		return a.truncate(data, m)
	case *pgoutput.LogicalMessage:
		return a.logical(data, m)
	default:
		return Step{}, a.errorf("message %T was not asked for", msg)
	}
}

func (a *Assembler) begin(m *pgoutput.Begin) error {
	if a.inTransaction {
		return a.errorf("begin of transaction %d inside another", m.XID)
	}
	a.inTransaction = true
	a.skipping = m.FinalLSN < a.delivered
	a.source = schema.Source{CommitLSN: m.FinalLSN, XID: m.XID, CommitTime: m.CommitTime}
	a.tally.reset()
	if !a.awaiting() || m.FinalLSN < a.open.FinalLSN || (m.FinalLSN == a.open.FinalLSN && m.XID == a.open.XID) {
		return nil
	}
	return a.diverged("transaction %d, which commits at %s, was sent in its place", m.XID, m.FinalLSN)
}

// awaiting reports whether a commit is open and the transaction under way, which
// is not skipped, is not yet past what Kafka has of it.
func (a *Assembler) awaiting() bool { return !a.skipping && !a.open.IsZero() }

// early reports whether the transaction under way commits before the one that is
// open. Kafka has all of these that changed anything; what may come between is an
// empty one, which some servers send and some do not.
func (a *Assembler) early() bool { return a.awaiting() && a.source.CommitLSN < a.open.FinalLSN }

func (a *Assembler) commit(m *pgoutput.Commit) (Step, error) {
	if !a.inTransaction {
		return Step{}, a.errorf("commit at %s outside a transaction", m.CommitLSN)
	}
	if m.CommitLSN != a.source.CommitLSN {
		return Step{}, a.errorf("commit at %s, but its begin announced %s", m.CommitLSN, a.source.CommitLSN)
	}
	a.inTransaction = false
	if a.skipping || a.early() {
		return Step{}, nil
	}
	if a.awaiting() {
		return Step{}, a.diverged("it was sent with %d change messages", a.tally.messages)
	}
	a.delivered = m.EndLSN
	return Step{Boundary: m.EndLSN}, nil
}

func (a *Assembler) row(data []byte, op schema.Op, oid uint32, before, after schema.Tuple) (Step, error) {
	rel, err := a.relation(oid)
	if err != nil {
		return Step{}, err
	}
	for _, tuple := range []schema.Tuple{before, after} {
		if tuple != nil && len(tuple) != len(rel.Columns) {
			return Step{}, a.errorf("%c of %s has %d columns, its relation %d", op, rel.Table, len(tuple), len(rel.Columns))
		}
	}
	if a.skipping {
		return Step{}, nil
	}
	a.count(op, rel, before, after)
	if known, err := a.message(data); known || err != nil {
		a.source.Seq++
		return Step{}, err
	}
	restoreUnchanged(rel, before, after)
	a.events = append(a.events[:0], a.event(schema.Event{Op: op, Relation: rel, Old: before, New: after}))
	return Step{Events: a.events}, nil
}

// count counts a change, and gives the transaction under way its ordinals.
func (a *Assembler) count(op schema.Op, rel *schema.Relation, before, after schema.Tuple) {
	n := uint64(1)
	if a.weigh != nil {
		n = a.weigh(op, rel, before, after)
	}
	a.source.TotalSeq, a.source.TableSeq = a.tally.change(rel, n)
}

// message tallies a change message of a transaction that is not skipped, and
// reports whether what it holds is in Kafka already.
func (a *Assembler) message(data []byte) (known bool, err error) {
	a.tally.message(data)
	if a.open.IsZero() {
		return false, nil
	}
	if a.early() {
		return true, a.diverged("transaction %d, which commits at %s, was sent with changes before it", a.source.XID, a.source.CommitLSN)
	}
	if a.tally.messages == a.open.N {
		if sum := a.tally.sum(); sum != a.open.Hash {
			return true, a.diverged("its first %d change messages hash to %s now", a.open.N, sum)
		}
		a.open = schema.OpenCommit{}
	}
	return true, nil
}

// restoreUnchanged fills what the log leaves out of the new row because it is
// TOASTed and unchanged: the old row holds it if it is of the replica identity.
func restoreUnchanged(rel *schema.Relation, before, after schema.Tuple) {
	if before == nil {
		return
	}
	for i := range after {
		if after[i].Kind == schema.Unchanged && rel.Columns[i].Identity {
			after[i] = before[i]
		}
	}
}

func (a *Assembler) truncate(data []byte, m *pgoutput.Truncate) (Step, error) {
	a.events = a.events[:0]
	var relations []*schema.Relation
	for _, oid := range m.RelationOIDs {
		rel, err := a.relation(oid)
		if err != nil {
			return Step{}, err
		}
		relations = append(relations, rel)
	}
	if a.skipping {
		return Step{}, nil
	}
	known, err := a.message(data)
	if err != nil {
		return Step{}, err
	}
	for _, rel := range relations {
		a.count(schema.OpTruncate, rel, nil, nil)
		if known {
			a.source.Seq++
			continue
		}
		a.events = append(a.events, a.event(schema.Event{Op: schema.OpTruncate, Relation: rel}))
	}
	return Step{Events: a.events}, nil
}

func (a *Assembler) event(e schema.Event) schema.Event {
	e.Source, e.Version = a.source, a.clock.Tick(a.source.CommitTime)
	a.source.Seq++
	return e
}

func (a *Assembler) relation(oid uint32) (*schema.Relation, error) {
	if !a.inTransaction {
		return nil, a.errorf("change of relation %d outside a transaction", oid)
	}
	rel, known := a.relations[oid]
	if !known {
		return nil, a.errorf("change of relation %d, which was never announced", oid)
	}
	return rel, nil
}

func (a *Assembler) errorf(format string, args ...any) error {
	return fmt.Errorf("change stream from %s, transaction %d, change %d: %w",
		a.source.CommitLSN, a.source.XID, a.source.Seq, fmt.Errorf(format, args...))
}

// diverged is the error for a slot that does not send again, as it was, what
// Kafka holds the beginning of.
func (a *Assembler) diverged(format string, args ...any) error {
	return diverged(
		fmt.Sprintf("commit %s of transaction %d", a.open.FinalLSN, a.open.XID),
		fmt.Sprintf("Kafka holds its first %d change messages, hash %s; ", a.open.N, a.open.Hash)+fmt.Sprintf(format, args...),
		"the rest of the commit cannot be told from what is in Kafka",
	)
}
