package spool

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"penstock/cdc/pgoutput"
)

// keepBytes is how large a buffer for messages may be to be kept for the next
// transaction.
const keepBytes = 1 << 20

// replay hands a committed transaction back.
type replay struct {
	tx     *transaction
	commit pgoutput.StreamCommit
	begun  bool
	stale  map[uint32]bool // relations that the transaction announced, and that were announced anew since
	last   [][]byte        // what comes after its last record
}

// startReplay makes Next give back tx from its begin to its commit.
func (s *Spool) startReplay(tx *transaction, commit pgoutput.StreamCommit) error {
	s.replay = &replay{tx: tx, commit: commit, stale: map[uint32]bool{}}
	s.in.left, s.in.at = tx.size, 0
	if tx.size == 0 {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	file, err := s.directory.Open(tx.file())
	if err != nil {
		return s.diskFault(tx, "open", err)
	}
	s.in.file = file
	s.in.buffer.Reset(file)
	info, err := file.Stat()
	if err != nil {
		return s.diskFault(tx, "read", err)
	}
	if info.Size() != tx.size {
		return s.diskFault(tx, "read", fmt.Errorf("the file has %d bytes, but %d were written", info.Size(), tx.size))
	}
	return nil
}

// replayed returns the next message of the transaction, or nil after its commit.
func (s *Spool) replayed() ([]byte, error) {
	r := s.replay
	if !r.begun {
		r.begun = true
		return r.commit.AppendBegin(nil), nil
	}
	if r.last == nil {
		message, err := s.survivor()
		if err != nil || message != nil {
			return message, err
		}
		r.last = s.epilogue()
	}
	if len(r.last) == 0 {
		s.replay = nil
		return nil, nil
	}
	message := r.last[0]
	r.last = r.last[1:]
	return message, nil
}

// survivor returns the next message that was not rolled back, or nil after the
// last.
func (s *Spool) survivor() ([]byte, error) {
	tx := s.replay.tx
	for {
		next, err := s.in.read(s.out.table)
		if errors.Is(err, io.EOF) {
			return nil, s.endReplay()
		}
		if err != nil {
			return nil, s.diskFault(tx, "read", err)
		}
		if _, aborted := tx.aborted[next.xid]; aborted {
			continue
		}
		if pgoutput.Kind(next.message[0]) == pgoutput.KindRelation {
			s.relations.replay(next, s.replay.stale)
		}
		return next.message, nil
	}
}

// endReplay is done with the file.
func (s *Spool) endReplay() error {
	if s.in.file != nil {
		err := s.in.file.Close()
		s.in.file = nil
		if err != nil {
			return s.diskFault(s.replay.tx, "close", err)
		}
	}
	if cap(s.in.message) > keepBytes {
		s.in.message = nil
	}
	return s.drop(s.replay.tx)
}

// epilogue is what comes after the last record: the relations that have a newer
// shape than the transaction knew, and the commit.
func (s *Spool) epilogue() [][]byte {
	var last [][]byte
	for _, oid := range slices.Sorted(maps.Keys(s.replay.stale)) {
		last = append(last, s.relations.current[oid].message)
	}
	return append(last, s.replay.commit.AppendCommit(nil))
}
