package pgoutput

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"penstock/schema"
)

// cursor reads one message front to back in network byte order. The first read
// that does not fit sets err; from then on every read returns zero and moves
// nothing, so that a decode method may read its fields in a row and leave the
// checking to its caller. A loop must look at err itself.
type cursor struct {
	data   []byte
	offset int
	err    *FormatError
}

func (c *cursor) remaining() int { return len(c.data) - c.offset }

// failAt keeps the first failure only: those after it are its consequences.
func (c *cursor) failAt(offset int, format string, args ...any) {
	if c.err != nil {
		return
	}
	c.err = &FormatError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
	if len(c.data) > 0 {
		c.err.Kind = Kind(c.data[0])
	}
}

// take returns the next n bytes, which alias the message and cannot grow into
// what follows them, or nil when there are fewer. It takes n as it stands on the
// wire, so that no length is converted before it is checked.
func (c *cursor) take(n uint32, field string) []byte {
	if c.err != nil {
		return nil
	}
	if uint64(n) > uint64(c.remaining()) {
		c.failAt(c.offset, "%s: want %d bytes, %d left", field, n, c.remaining())
		return nil
	}
	start := c.offset
	c.offset += int(n)
	return c.data[start:c.offset:c.offset]
}

func (c *cursor) byte(field string) byte {
	if b := c.take(1, field); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16(field string) uint16 {
	if b := c.take(2, field); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32(field string) uint32 {
	if b := c.take(4, field); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64(field string) uint64 {
	if b := c.take(8, field); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) lsn(field string) schema.LSN { return schema.LSN(c.uint64(field)) }

// flags reads one byte of flags and refuses those whose meaning we do not know.
func (c *cursor) flags(known byte, field string) byte {
	flags := c.byte(field)
	if unknown := flags &^ known; unknown != 0 {
		c.failAt(c.offset-1, "%s: unknown flags %#02x", field, unknown)
	}
	return flags
}

// text reads a string up to its terminating zero byte. The bytes are kept as they
// are: a database in SQL_ASCII may send names that are not UTF-8.
func (c *cursor) text(field string) string {
	if c.err != nil {
		return ""
	}
	n := bytes.IndexByte(c.data[c.offset:], 0)
	if n < 0 {
		c.failAt(c.offset, "%s: no terminating zero byte", field)
		return ""
	}
	start := c.offset
	c.offset += n + 1
	return string(c.data[start : start+n])
}

// count checks a number of elements against the bytes that are left, each element
// taking at least size bytes. Memory for the elements may be allocated after it.
func (c *cursor) count(n uint32, size int, field string) int {
	if c.err != nil {
		return 0
	}
	if uint64(n)*uint64(size) > uint64(c.remaining()) {
		c.failAt(c.offset, "%d %s need %d bytes, %d left", n, field, uint64(n)*uint64(size), c.remaining())
		return 0
	}
	return int(n)
}
