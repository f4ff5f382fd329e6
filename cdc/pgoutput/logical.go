package pgoutput

import "penstock/schema"

// LogicalMessage is what pg_logical_emit_message wrote to the log. A transactional
// one comes in its place between [Begin] and [Commit]. Any other comes between
// transactions, as soon as it is in the log, even if its own is rolled back later.
type LogicalMessage struct {
	Transactional bool
	LSN           schema.LSN
	Prefix        string
	Content       []byte // aliases the message
}

// logicalTransactional flags a message as part of its transaction.
const logicalTransactional = 1

func (m *LogicalMessage) decode(c *cursor) {
	m.Transactional = c.flags(logicalTransactional, "message flags") != 0
	m.LSN = c.lsn("message LSN")
	m.Prefix = c.text("message prefix")
	m.Content = c.sized("message content")
}
