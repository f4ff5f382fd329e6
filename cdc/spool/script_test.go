package spool_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"penstock/cdc/pgoutput"
	"penstock/cdc/spool"
)

// What a server sends, as bytes.

func xids(kind byte, ids ...uint32) []byte {
	data := []byte{kind}
	for _, id := range ids {
		data = binary.BigEndian.AppendUint32(data, id)
	}
	return data
}

func first(xid uint32) []byte      { return append(xids('S', xid), 1) }
func later(xid uint32) []byte      { return append(xids('S', xid), 0) }
func stop() []byte                 { return []byte{'E'} }
func abort(xid, sub uint32) []byte { return xids('A', xid, sub) }

// lsnOf and timeOf give a transaction's commit a place and a time of its own.
func lsnOf(xid uint32) uint64  { return uint64(xid) << 20 }
func timeOf(xid uint32) uint64 { return uint64(xid) * 1_000_003 }

func committed(xid uint32) []byte { return append(xids('c', xid), commitOf(xid)[1:]...) }

// beginOf and commitOf are what an unstreamed transaction begins and ends with.
func beginOf(xid uint32) []byte {
	data := binary.BigEndian.AppendUint64([]byte{'B'}, lsnOf(xid))
	data = binary.BigEndian.AppendUint64(data, timeOf(xid))
	return binary.BigEndian.AppendUint32(data, xid)
}

func commitOf(xid uint32) []byte {
	data := binary.BigEndian.AppendUint64([]byte{'C', 0}, lsnOf(xid))
	data = binary.BigEndian.AppendUint64(data, lsnOf(xid)+48)
	return binary.BigEndian.AppendUint64(data, timeOf(xid))
}

// row is an insert of one text.
func row(oid uint32, text string) []byte {
	data := append(xids('I', oid), 'N', 0, 1, 't')
	data = binary.BigEndian.AppendUint32(data, uint32(len(text)))
	return append(data, text...)
}

// relation announces a table of one column.
func relation(oid uint32, column string) []byte {
	data := append(xids('R', oid), "public\x00t\x00d\x00\x01\x00"...)
	data = append(data, column...)
	return append(data, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff)
}

// of puts a message into a block.
func of(xid uint32, message []byte) []byte {
	return append(xids(message[0], xid), message[1:]...)
}

// say renders a message, so that differences can be read.
func say(message []byte) string {
	m, err := pgoutput.Parse(message)
	if err != nil {
		return fmt.Sprintf("%x: %v", message, err)
	}
	switch m := m.(type) {
	case *pgoutput.Insert:
		return fmt.Sprintf("insert %d %.40s", m.RelationOID, m.New[0].Data)
	case *pgoutput.Relation:
		return fmt.Sprintf("relation %d %s", m.OID, m.Columns[0].Name)
	case *pgoutput.Begin:
		return fmt.Sprintf("begin %d at %s", m.XID, m.FinalLSN)
	case *pgoutput.Commit:
		return fmt.Sprintf("commit at %s", m.CommitLSN)
	}
	return fmt.Sprintf("%T %+v", m, m)
}

func sayAll(messages [][]byte) []string {
	var lines []string
	for _, m := range messages {
		lines = append(lines, say(m))
	}
	return lines
}

// newSpool opens a spool that is closed with the test.
func newSpool(t testing.TB) (s *spool.Spool, dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := spool.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

// pass takes messages through s and returns all that comes back, until an error.
func pass(s *spool.Spool, messages ...[]byte) ([][]byte, error) {
	var got [][]byte
	for _, data := range messages {
		if err := s.Take(bytes.Clone(data)); err != nil {
			return got, err
		}
		for {
			message, err := s.Next()
			if err != nil {
				return got, err
			}
			if message == nil {
				break
			}
			got = append(got, bytes.Clone(message))
		}
	}
	return got, nil
}

func mustPass(t testing.TB, s *spool.Spool, messages ...[]byte) [][]byte {
	t.Helper()
	got, err := pass(s, messages...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// list gathers messages.
func list(messages ...[]byte) [][]byte { return messages }
