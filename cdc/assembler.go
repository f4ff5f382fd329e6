package cdc

import (
	"fmt"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// Assembler turns the messages of a slot into events and commit boundaries. It
// is pure: no context, clock, logger or connection. Not safe for concurrent use.
//
// Postgres sends a transaction again from its BEGIN whenever it was not
// confirmed, so the assembler drops, by commit LSN, every transaction that the
// position says is in Kafka already. Only commit LSNs are ordered over the whole
// stream; a row's own LSN is not.
type Assembler struct {
	relations map[uint32]*schema.Relation
	clock     schema.Clock
	delivered schema.LSN // transactions whose commit record starts below it are in Kafka

	inTransaction bool
	skipping      bool
	source        schema.Source  // of the transaction under way; Seq is the next change's
	events        []schema.Event // backs the last Step
}

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
	}
}

// Version is the version of the last event, for the position.
func (a *Assembler) Version() int64 { return a.clock.Last }

// InTransaction reports whether the last message lies inside a transaction.
func (a *Assembler) InTransaction() bool { return a.inTransaction }

// Keepalive takes the server's word that it has sent everything below walEnd. It
// is a boundary only between transactions, and only if it moves forward.
func (a *Assembler) Keepalive(walEnd schema.LSN) Step {
	if a.inTransaction || walEnd <= a.delivered {
		return Step{}
	}
	a.delivered = walEnd
	return Step{Boundary: walEnd}
}

// Message takes the next message. An error means that the stream cannot be
// understood, and names the place; nothing may be delivered after it.
func (a *Assembler) Message(msg pgoutput.Message) (Step, error) {
	switch m := msg.(type) {
	case *pgoutput.Begin:
		return Step{}, a.begin(m)
	case *pgoutput.Commit:
		return a.commit(m)
	case *pgoutput.Relation:
		a.relations[m.OID] = m.Relation
		return Step{}, nil
	case *pgoutput.Type, *pgoutput.Origin:
		return Step{}, nil
	case *pgoutput.Insert:
		return a.row(schema.OpCreate, m.RelationOID, nil, m.New)
	case *pgoutput.Update:
		return a.row(schema.OpUpdate, m.RelationOID, m.Old, m.New)
	case *pgoutput.Delete:
		return a.row(schema.OpDelete, m.RelationOID, m.Old, nil)
	case *pgoutput.Truncate:
		return a.truncate(m)
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
	return nil
}

func (a *Assembler) commit(m *pgoutput.Commit) (Step, error) {
	if !a.inTransaction {
		return Step{}, a.errorf("commit at %s outside a transaction", m.CommitLSN)
	}
	if m.CommitLSN != a.source.CommitLSN {
		return Step{}, a.errorf("commit at %s, but its begin announced %s", m.CommitLSN, a.source.CommitLSN)
	}
	a.inTransaction = false
	if a.skipping {
		return Step{}, nil
	}
	a.delivered = m.EndLSN
	return Step{Boundary: m.EndLSN}, nil
}

func (a *Assembler) row(op schema.Op, oid uint32, before, after schema.Tuple) (Step, error) {
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
	restoreUnchanged(rel, before, after)
	a.events = append(a.events[:0], a.event(op, rel, before, after))
	return Step{Events: a.events}, nil
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

func (a *Assembler) truncate(m *pgoutput.Truncate) (Step, error) {
	a.events = a.events[:0]
	for _, oid := range m.RelationOIDs {
		rel, err := a.relation(oid)
		if err != nil {
			return Step{}, err
		}
		if !a.skipping {
			a.events = append(a.events, a.event(schema.OpTruncate, rel, nil, nil))
		}
	}
	return Step{Events: a.events}, nil
}

func (a *Assembler) event(op schema.Op, rel *schema.Relation, before, after schema.Tuple) schema.Event {
	e := schema.Event{
		Op: op, Relation: rel, Old: before, New: after,
		Source: a.source, Version: a.clock.Tick(a.source.CommitTime),
	}
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
