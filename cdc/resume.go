package cdc

import (
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/schema"
)

// Accept is the operator's word to go on, once, in spite of a refusal: its state and
// the LSN, as the refusal named them. Any other refusal stands. The zero Accept is none.
type Accept struct {
	State fault.State // any but SlotLost, which cannot be gone on from
	LSN   schema.LSN  // where the slot goes on, its confirmed_flush_lsn; of ShapeChanged the commit
}

// String is the form of the command line.
func (a Accept) String() string { return string(a.State) + "@" + a.LSN.String() }

// IsZero reports whether nothing is accepted.
func (a Accept) IsZero() bool { return a == Accept{} }

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
	topicsUsed bool                       // some data topic has held a record
	replaced   string                     // what was out of a publication since the capture began to stream last; empty for nothing
	others     map[string]schema.Position // that the position topic has of other names

	accept Accept
}

// resume returns the position to go on from, and the refusal that the operator has
// overruled, if any. It refuses whenever a change could be missing between the
// position and what the slot will send, or when the position speaks of another
// history. Only then does the operator's word count: to go on from the slot's own
// position. Without a reason to refuse it would send again what Kafka has.
func resume(e evidence) (schema.Position, *fault.Error, error) {
	fresh := schema.Position{
		SystemID: e.server.systemID, Timeline: e.server.timeline, Database: e.server.database,
		Slot: e.slot, EndLSN: e.confirmed, Version: e.position.Version,
	}
	if !e.found && !e.topicsUsed {
		return fresh, nil, nil // the first start
	}
	refusal, onward, next := e.check(), fresh, e.position
	next.Timeline = e.server.timeline
	if refusal == nil && e.replaced != "" { // nothing is wrong with the position
		onward, refusal = next, e.refuse(fault.GapDetected, e.replaced+" "+wasReplaced+"since the capture began to stream last", notSent)
	}
	switch {
	case refusal == nil:
		if next.Open.IsZero() || e.accept != (Accept{fault.Diverged, e.confirmed}) {
			return next, nil, nil
		}
		// What the log now says of the open commit is found while it is sent again.
		next.Open = schema.OpenCommit{}
		return next, e.refuse(fault.Diverged, fmt.Sprintf("the commit at %s is delivered again as a whole, after the %d of its changes that Kafka has",
			e.position.Open.FinalLSN, e.position.Open.N), "the log says something else now"), nil
	case e.accept == Accept{refusal.State, e.confirmed}:
		return onward, refusal, nil
	case !e.accept.IsZero():
		refusal.Why += "; --accept " + e.accept.String() + " is the word for another refusal"
	}
	return schema.Position{}, nil, refusal
}

// sayUnneeded tells of an operator's word that nothing was refused for. It is no refusal: who
// restarts the daemon may give it again after it has done its work.
func (c *Capture) sayUnneeded(position schema.Position, overruled *fault.Error) {
	word, why := c.cfg.Accept, "nothing was refused, the slot goes on from the position"
	switch {
	case word.IsZero() || overruled != nil:
		return
	case word.State != fault.ShapeChanged:
	case word.LSN < position.EndLSN:
		why = "what that commit has is delivered"
	case !slices.ContainsFunc(c.cfg.Tables, func(t Table) bool { return t.Frozen }):
		why = "no table has schema_change: stop"
	default:
		return // its commit is still to come
	}
	c.log.Warn("--accept "+word.String()+" is not needed, and has no effect: "+why, zap.String(keySlot, c.cfg.Slot),
		zap.Stringer(keyLSN, position.EndLSN))
}

// check returns why the position must not be gone on from, or nil.
func (e *evidence) check() *fault.Error {
	p := &e.position
	switch {
	case !e.found:
		bad := e.refuse(fault.GapDetected, "the topics hold records, but there is no position",
			fmt.Sprintf("what they hold cannot be told from what the slot sends, from %s to the end of the log, now %s (%d bytes of log)",
				e.confirmed, e.flushed, bytesOf(e.confirmed, e.flushed)))
		for _, name := range slices.Sorted(maps.Keys(e.others)) {
			if p := e.others[name]; p.SystemID == e.server.systemID && p.Database == e.server.database && p.Slot == e.slot {
				bad.Why += fmt.Sprintf("; the slot's position %s is kept under the name %s", p.EndLSN, name)
				bad.Fix = "set source.name: " + name + "; or, " + bad.Fix
				break
			}
		}
		return bad
	case p.SystemID != e.server.systemID:
		return e.refuse(fault.Diverged, fmt.Sprintf("the position %s is of cluster %s, the server is cluster %s",
			p.EndLSN, p.SystemID, e.server.systemID), "LSNs of two clusters cannot be compared")
	case p.Database != e.server.database || p.Slot != e.slot:
		return e.refuse(fault.Diverged, fmt.Sprintf("the position %s is of slot %s in database %s, not of slot %s in database %s",
			p.EndLSN, p.Slot, p.Database, e.slot, e.server.database), "two captures must not share source.name")
	}
	forks, err := parseHistory(e.server.timeline, e.server.history)
	if err != nil && p.Timeline != e.server.timeline {
		return e.refuse(fault.Diverged, fmt.Sprintf("the position %s is of timeline %d, the server is on timeline %d: %s",
			p.EndLSN, p.Timeline, e.server.timeline, err), "whether the server has what Kafka holds cannot be told")
	}
	if what, why := forks.departure(p, e.server.timeline); what != "" {
		return e.refuse(fault.Diverged, what, why)
	}
	switch end := max(p.EndLSN, p.Open.FinalLSN); {
	case e.confirmed > p.EndLSN:
		return e.refuse(fault.GapDetected, fmt.Sprintf("the changes from %s to %s (%d bytes of log) are in neither Kafka nor the slot",
			p.EndLSN, e.confirmed, e.confirmed-p.EndLSN), "the slot was advanced or created anew by somebody else")
	case e.flushed < end:
		return e.refuse(fault.Diverged, fmt.Sprintf("the server's log ends at %s, before the position %s (%d bytes of log)",
			e.flushed, end, end-e.flushed), "the server was restored to an earlier point: Kafka holds changes that it no longer has")
	}
	return nil
}

// bytesOf is the size of the log between two LSNs, 0 if they are the other way round.
func bytesOf(from, to schema.LSN) schema.LSN { return max(to, from) - from }

func (e *evidence) refuse(state fault.State, what, why string) *fault.Error {
	return mayNotGoOn(state, "slot "+e.slot, what, why, acceptFix(state, e.confirmed))
}

// acceptFix is the operator's way on that gives something up.
func acceptFix(state fault.State, confirmed schema.LSN) string {
	return recoverFix + "; or, to go on from the slot in spite of it: penstock run --accept " + Accept{state, confirmed}.String()
}

// forward reports whether next comes after last in the order of positions.
func forward(last, next schema.Position) bool {
	switch {
	case next.Version < last.Version:
		return false
	case next.EndLSN != last.EndLSN:
		return next.EndLSN > last.EndLSN
	case next.Open.FinalLSN != last.Open.FinalLSN:
		return last.Open.IsZero()
	}
	return next.Open.N > last.Open.N
}
