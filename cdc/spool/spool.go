package spool

import (
	"errors"
	"fmt"
	"os"

	"penstock/cdc/pgoutput"
)

// Spool takes the messages of one replication stream in the order in which they
// come, and gives them back in the order of commits. Not safe for concurrent use.
//
// Every [Spool.Take] is followed by [Spool.Next] until that has nothing more. After
// an error the spool can only be closed: the stream has to start again, with
// another.
type Spool struct {
	directory *os.Root
	lock      *os.File

	decoder   pgoutput.Decoder
	waiting   map[uint32]*transaction // streamed and not ended yet, by transaction id
	block     *transaction            // whose block has begun and not ended, or nil
	taken     uint64                  // messages so far
	relations relations

	out    writer
	passed []byte  // what Next gives back as it came, or nil
	replay *replay // what Next gives back from disk, or nil
	in     reader  // of the replay, kept for the next
}

// transaction is one that is streamed, as far as it has come.
type transaction struct {
	xid     uint32
	size    int64               // bytes in its file, those in the writer included; there is no file before the first
	aborted map[uint32]struct{} // subtransactions that were rolled back
}

// Take takes the next message of the stream; it keeps no reference to data but
// until Next has nothing more, and overwrites some of it.
//
// An error is a *[penstock/internal/fault.Error] where the disk is at fault, and
// else means that the stream cannot be understood, and names the transaction.
func (s *Spool) Take(data []byte) error {
	if s.passed != nil || s.replay != nil {
		return errors.New("streamed changes: a message was taken before the last was read to its end")
	}
	if len(data) == 0 {
		return errors.New("streamed changes: a message is empty")
	}
	s.taken++
	switch kind := pgoutput.Kind(data[0]); kind {
	case pgoutput.KindStreamStart, pgoutput.KindStreamStop, pgoutput.KindStreamCommit, pgoutput.KindStreamAbort:
		return s.control(data)
	case pgoutput.KindRelation:
		if s.block == nil {
			s.relations.announce(data, s.taken)
		}
	}
	if s.block != nil {
		return s.keep(data)
	}
	s.passed = data
	return nil
}

// Next returns what the stream brings next in the order of commits: nothing or the
// message just taken, or after a streamed transaction's commit the transaction from
// its begin to its commit, in version 1 of the protocol. It returns nil when there
// is nothing more. The message is valid until the next call of Next or Take.
//
// A transaction is handed back whole, even one that was delivered in an earlier
// life: its place in the order of commits tells, as with any other.
func (s *Spool) Next() ([]byte, error) {
	if s.replay != nil {
		return s.replayed()
	}
	message := s.passed
	s.passed = nil
	return message, nil
}

// control acts on what frames streamed transactions.
func (s *Spool) control(data []byte) error {
	message, err := s.decoder.Parse(data)
	if err != nil {
		return s.errorf(s.block, "%w", err)
	}
	if s.block != nil {
		if _, stop := message.(*pgoutput.StreamStop); !stop {
			return s.errorf(s.block, "its block holds a %s message", pgoutput.Kind(data[0]))
		}
		s.block = nil
		return nil
	}
	switch m := message.(type) {
	case *pgoutput.StreamStart:
		return s.start(m)
	case *pgoutput.StreamCommit:
		return s.commit(m)
	case *pgoutput.StreamAbort:
		return s.abort(m)
	default:
		return s.errorf(nil, "a block ends that has not begun")
	}
}

func (s *Spool) start(m *pgoutput.StreamStart) error {
	tx, known := s.waiting[m.XID]
	switch {
	case known && m.First:
		return s.errorf(tx, "it begins a second time")
	case !known && !m.First:
		return s.errorf(nil, "transaction %d goes on, but its first block never came", m.XID)
	case !known:
		tx = &transaction{xid: m.XID}
		s.waiting[m.XID] = tx
	}
	s.block = tx
	return nil
}

// keep writes a message of the block under way to its transaction's file.
func (s *Spool) keep(data []byte) error {
	xid, message, err := pgoutput.Unstream(data)
	if err != nil {
		return s.errorf(s.block, "%w", err)
	}
	if pgoutput.Kind(message[0]) == pgoutput.KindOrigin {
		xid = s.block.xid
	}
	if _, aborted := s.block.aborted[xid]; aborted {
		return s.errorf(s.block, "a change of subtransaction %d comes after its rollback", xid)
	}
	return s.write(s.block, record{xid: xid, order: s.taken, message: message})
}

func (s *Spool) abort(m *pgoutput.StreamAbort) error {
	tx, known := s.waiting[m.XID]
	if !known {
		return s.errorf(nil, "transaction %d is rolled back, but never came", m.XID)
	}
	if m.SubXID == m.XID {
		return s.drop(tx)
	}
	if tx.aborted == nil {
		tx.aborted = map[uint32]struct{}{}
	}
	tx.aborted[m.SubXID] = struct{}{}
	return nil
}

func (s *Spool) commit(m *pgoutput.StreamCommit) error {
	tx, known := s.waiting[m.XID]
	if !known {
		return s.errorf(nil, "transaction %d commits at %s, but never came", m.XID, m.CommitLSN)
	}
	return s.startReplay(tx, *m)
}

// drop forgets a transaction that has ended, and removes its file.
func (s *Spool) drop(tx *transaction) error {
	delete(s.waiting, tx.xid)
	if tx.size == 0 {
		return nil
	}
	if err := s.abandon(tx); err != nil {
		return err
	}
	if err := s.directory.Remove(tx.file()); err != nil {
		return s.diskFault(tx, "remove", err)
	}
	return nil
}

// errorf names the transaction, if there is one.
func (*Spool) errorf(tx *transaction, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if tx == nil {
		return fmt.Errorf("streamed changes: %w", err)
	}
	return fmt.Errorf("streamed changes of transaction %d: %w", tx.xid, err)
}
