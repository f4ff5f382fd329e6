package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"penstock/internal/fault"
)

// A file is a sequence of records and nothing else:
//
//	offset  bytes
//	     0      4  length of the message
//	     4      4  transaction or subtransaction id
//	     8      8  place of the message among all of the stream
//	    16      4  CRC-32C of the 16 bytes before and the message
//	    20         message, in version 1 of the protocol
//
// Integers are in network order. How long the file must be is in memory.
const recordHeader = 4 + 4 + 8 + 4

// bufferBytes is how much is written or read at a time.
const bufferBytes = 256 << 10

// record is a message on its way to a file or back.
type record struct {
	xid     uint32
	order   uint64
	message []byte
}

func (tx *transaction) file() string { return strconv.FormatUint(uint64(tx.xid), 10) }

// writer appends to one file at a time, that of the transaction whose blocks came
// last.
type writer struct {
	tx     *transaction // nil while no file is open
	file   *os.File
	buffer *bufio.Writer
	table  *crc32.Table
	header [recordHeader]byte
}

// write appends a record to a transaction's file.
func (s *Spool) write(tx *transaction, r record) error {
	if s.out.tx != tx {
		if err := s.reopen(tx); err != nil {
			return err
		}
	}
	header := s.out.header[:]
	binary.BigEndian.PutUint32(header, uint32(len(r.message)))
	binary.BigEndian.PutUint32(header[4:], r.xid)
	binary.BigEndian.PutUint64(header[8:], r.order)
	binary.BigEndian.PutUint32(header[16:], checksum(s.out.table, header, r.message))
	if _, err := s.out.buffer.Write(header); err != nil {
		return s.diskFault(tx, "write", err)
	}
	if _, err := s.out.buffer.Write(r.message); err != nil {
		return s.diskFault(tx, "write", err)
	}
	tx.size += recordHeader + int64(len(r.message))
	return nil
}

func checksum(table *crc32.Table, header, message []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:recordHeader-4], table), table, message)
}

// reopen makes tx the transaction that is written to.
func (s *Spool) reopen(tx *transaction) error {
	if err := s.flush(); err != nil {
		return err
	}
	mode := os.O_WRONLY | os.O_APPEND
	if tx.size == 0 {
		mode |= os.O_CREATE | os.O_EXCL
	}
	file, err := s.directory.OpenFile(tx.file(), mode, 0o600)
	if err != nil {
		return s.diskFault(tx, "open", err)
	}
	s.out.tx, s.out.file = tx, file
	s.out.buffer.Reset(file)
	return nil
}

// flush hands everything to the operating system and closes the file.
func (s *Spool) flush() error {
	tx := s.out.tx
	if tx == nil {
		return nil
	}
	err := s.out.buffer.Flush()
	err = errors.Join(err, s.out.file.Close())
	s.out.tx, s.out.file = nil, nil
	if err != nil {
		return s.diskFault(tx, "write", err)
	}
	return nil
}

// abandon closes the file if it is tx's, and forgets what is not in it yet.
func (s *Spool) abandon(tx *transaction) error {
	if s.out.tx != tx {
		return nil
	}
	err := s.out.file.Close()
	s.out.tx, s.out.file = nil, nil
	if err != nil {
		return s.diskFault(tx, "close", err)
	}
	return nil
}

// reader reads one file from its start. Its buffers outlive it.
type reader struct {
	file    *os.File
	buffer  *bufio.Reader
	left    int64 // bytes up to the end that the file must have
	at      int64 // offset of the next record
	header  [recordHeader]byte
	message []byte
}

// read returns the next record, whose message is valid until the next call, or
// io.EOF after the last.
func (r *reader) read(table *crc32.Table) (record, error) {
	if r.left == 0 {
		return record{}, io.EOF
	}
	header := r.header[:]
	if _, err := io.ReadFull(r.buffer, header); err != nil {
		return record{}, r.short(err)
	}
	length := int64(binary.BigEndian.Uint32(header))
	if recordHeader+length > r.left {
		return record{}, fmt.Errorf("the record at byte %d is damaged: its message of %d bytes exceeds the file", r.at, length)
	}
	if int64(cap(r.message)) < length {
		r.message = make([]byte, length)
	}
	r.message = r.message[:length]
	if _, err := io.ReadFull(r.buffer, r.message); err != nil {
		return record{}, r.short(err)
	}
	if got, want := checksum(table, header, r.message), binary.BigEndian.Uint32(header[16:]); got != want {
		return record{}, fmt.Errorf("the record at byte %d is damaged: its checksum is %08x, not %08x", r.at, got, want)
	}
	r.left -= recordHeader + length
	r.at += recordHeader + length
	return record{
		xid: binary.BigEndian.Uint32(header[4:]), order: binary.BigEndian.Uint64(header[8:]), message: r.message,
	}, nil
}

func (r *reader) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends within the record at byte %d, %d bytes early", r.at, r.left)
	}
	return err
}

// diskFault says which file could not be worked with, and that nothing is lost.
func (s *Spool) diskFault(tx *transaction, doing string, err error) error {
	f := &fault.Error{
		Kind: fault.Runtime, Where: "spool file " + filepath.Join(s.directory.Name(), tx.file()), Err: err,
		What: fmt.Sprintf("cannot %s what was streamed of transaction %d", doing, tx.xid),
		Why:  "the transaction waits there for its commit; the position has not moved past it",
		Fix:  "check the disk, then start again: the server sends the transaction again",
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		f.What = fmt.Sprintf("no space is left for what is streamed of transaction %d", tx.xid)
		f.Fix = "free space there, spool to a larger disk or turn streaming off, then start again: the server sends the transaction again"
	}
	return f
}
