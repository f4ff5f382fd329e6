package cdc

import (
	"fmt"

	"penstock/internal/fault"
	"penstock/schema"
)

// evidence is all that start-up knows when it decides where to go on. It is
// gathered while the slot is held and older producers are fenced, so nothing in
// it can change any more.
type evidence struct {
	server    identity
	slot      string
	confirmed schema.LSN // the slot's confirmed_flush_lsn: the server sends what comes after it
	flushed   schema.LSN // the end of the server's log

	position   schema.Position
	found      bool
	topicsUsed bool // some data topic has held a record

	acceptGap schema.LSN
}

// resume returns the position to go on from. It refuses whenever a change could
// be missing between the position and what the slot will send, or when the
// position speaks of another log. Only then does the operator's word count: to
// go on from the slot's own position. Without a reason to refuse it would send
// again what Kafka has.
func resume(e evidence) (schema.Position, error) {
	fresh := schema.Position{
		SystemID: e.server.systemID, Timeline: e.server.timeline, Database: e.server.database,
		Slot: e.slot, EndLSN: e.confirmed, Version: e.position.Version,
	}
	if !e.found && !e.topicsUsed {
		return fresh, nil // the first start
	}
	refusal := e.check()
	switch {
	case refusal == nil:
		return e.position, nil
	case e.acceptGap.IsZero():
		return schema.Position{}, refusal
	case e.acceptGap != e.confirmed:
		return schema.Position{}, &fault.Error{
			Kind: fault.Usage, Where: "--accept-gap " + e.acceptGap.String(),
			What: fmt.Sprintf("slot %s stands at %s", e.slot, e.confirmed),
			Fix:  "--accept-gap " + e.confirmed.String(),
		}
	}
	return fresh, nil
}

// check returns why the position must not be gone on from, or nil.
func (e *evidence) check() error {
	p := e.position
	switch {
	case !e.found:
		return e.refuse("the topics hold records, but there is no position",
			"what they hold cannot be told from what slot "+e.slot+" sends from "+e.confirmed.String())
	case p.SystemID != e.server.systemID:
		return e.refuse(fmt.Sprintf("the position is of cluster %s, the server is cluster %s", p.SystemID, e.server.systemID),
			"LSNs of two clusters cannot be compared")
	case p.Timeline != e.server.timeline:
		return e.refuse(fmt.Sprintf("the position is of timeline %d, the server is on timeline %d", p.Timeline, e.server.timeline),
			"Kafka may hold changes that the server no longer has")
	case p.Slot != e.slot || p.Database != e.server.database:
		return e.refuse(fmt.Sprintf("the position is of slot %s in database %s, not of slot %s in database %s",
			p.Slot, p.Database, e.slot, e.server.database), "two captures must not share source.name")
	case e.confirmed > p.EndLSN:
		return e.refuse(fmt.Sprintf("a gap: the changes from %s to %s (%d bytes of log) are in neither Kafka nor the slot",
			p.EndLSN, e.confirmed, e.confirmed-p.EndLSN), "the slot was advanced or created anew by somebody else")
	case e.flushed < p.EndLSN:
		return e.refuse(fmt.Sprintf("the server's log ends at %s, before the position %s", e.flushed, p.EndLSN),
			"the server was restored to an earlier point: Kafka holds changes that it no longer has")
	}
	return nil
}

func (e *evidence) refuse(what, why string) error {
	return &fault.Error{
		Kind: fault.PositionLost, Where: "slot " + e.slot, What: what, Why: why,
		Fix: "to go on from the slot in spite of it: penstock run --accept-gap " + e.confirmed.String(),
	}
}
