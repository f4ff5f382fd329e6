package cdc

import (
	"penstock/cdc/backfill"
	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// logical takes a message of pg_logical_emit_message.
func (a *Assembler) logical(data []byte, m *pgoutput.LogicalMessage) (Step, error) {
	switch {
	case !m.Transactional:
		return a.outside(m)
	case !a.inTransaction:
		return Step{}, a.errorf("transactional message %q outside a transaction", m.Prefix)
	case a.skipping:
		return Step{}, nil
	}
	wanted := a.wants(m)
	if wanted {
		a.source.TotalSeq, a.source.TableSeq = a.tally.emitted()
	}
	known, err := a.message(data)
	if err != nil || !wanted {
		return Step{}, err
	}
	if known {
		a.source.Seq++
		return Step{}, nil
	}
	a.events = append(a.events[:0], a.event(schema.Event{Op: schema.OpMessage, Message: emitted(m)}))
	return Step{Events: a.events}, nil
}

// outside takes a message that is not part of a transaction. It comes as soon as it
// is in the log: whatever commits below it was sent before, so it is as good as a
// keepalive. Once it is an event, the boundary lies behind the first byte of its
// record: the server sends it again if it starts at or after what was confirmed,
// and nothing else starts within it.
func (a *Assembler) outside(m *pgoutput.LogicalMessage) (Step, error) {
	if !a.wants(m) {
		return a.Keepalive(m.LSN)
	}
	step, err := a.Keepalive(m.LSN + 1)
	if err != nil || step.Boundary.IsZero() {
		return step, err
	}
	e := schema.Event{
		Op: schema.OpMessage, Message: emitted(m),
		Source: schema.Source{CommitLSN: m.LSN}, Version: a.clock.Tick(0),
	}
	a.events = append(a.events[:0], e)
	step.Events = a.events
	return step, nil
}

// wants reports whether a message becomes an event. The capture's own do not.
func (a *Assembler) wants(m *pgoutput.LogicalMessage) bool {
	return a.takes != nil && m.Prefix != schema.HeartbeatPrefix && m.Prefix != backfill.ReadPrefix && a.takes(m.Prefix)
}

func emitted(m *pgoutput.LogicalMessage) *schema.Message {
	return &schema.Message{Prefix: m.Prefix, Content: m.Content, Transactional: m.Transactional}
}
