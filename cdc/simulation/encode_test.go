package simulation_test

import (
	"encoding/binary"
	"time"

	"penstock/schema"
)

// The bytes of pgoutput's messages, written from the protocol's documentation
// and not with the decoder's help. Without streaming, all protocol versions
// have these.

// oid names a table in the messages.
func oid(table string) uint32 {
	return map[string]uint32{tableEvent: 16401, tableContent: 16402, tableNote: 16403}[table]
}

// columns are the tables' columns; all are text.
func columns(table string) [3]string {
	if table == tableEvent {
		return [3]string{"id", "content_id", "v"}
	}
	return [3]string{"id", "kind", "v"}
}

// whole reports whether the table has REPLICA IDENTITY FULL.
func whole(table string) bool { return table != tableNote }

// postgresTime is the unit of every time in the protocol.
func postgresTime(t time.Time) uint64 {
	return uint64(t.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds())
}

func encodeBegin(e *entry) []byte {
	b := []byte{'B'}
	b = binary.BigEndian.AppendUint64(b, uint64(e.start))
	b = binary.BigEndian.AppendUint64(b, postgresTime(e.commit.at))
	return binary.BigEndian.AppendUint32(b, e.commit.xid)
}

func encodeCommit(e *entry) []byte {
	b := []byte{'C', 0}
	b = binary.BigEndian.AppendUint64(b, uint64(e.start))
	b = binary.BigEndian.AppendUint64(b, uint64(e.end))
	return binary.BigEndian.AppendUint64(b, postgresTime(e.commit.at))
}

func encodeRelation(table string) []byte {
	const textOID, noModifier = 25, 0xffffffff
	b := binary.BigEndian.AppendUint32([]byte{'R'}, oid(table))
	b = append(b, "public\x00"+table+"\x00"...)
	identity, isKey := byte('d'), func(i int) bool { return i == 0 }
	if whole(table) {
		identity, isKey = 'f', func(int) bool { return true }
	}
	b = append(b, identity, 0, 3)
	for i, name := range columns(table) {
		flag := byte(0)
		if isKey(i) {
			flag = 1
		}
		b = append(append(append(b, flag), name...), 0)
		b = binary.BigEndian.AppendUint32(b, textOID)
		b = binary.BigEndian.AppendUint32(b, noModifier)
	}
	return b
}

func encodeChange(c *change) []byte {
	if c.op == schema.OpTruncate {
		b := binary.BigEndian.AppendUint32([]byte{'T'}, 1)
		return binary.BigEndian.AppendUint32(append(b, 0), oid(c.table))
	}
	kind := map[schema.Op]byte{schema.OpCreate: 'I', schema.OpUpdate: 'U', schema.OpDelete: 'D'}[c.op]
	b := binary.BigEndian.AppendUint32([]byte{kind}, oid(c.table))
	switch {
	case c.op == schema.OpCreate:
	case whole(c.table):
		b = appendTuple(append(b, 'O'), text(c.old.id), text(c.old.ref), text(c.old.v))
	case c.op == schema.OpDelete || c.old.id != c.new.id:
		b = appendTuple(append(b, 'K'), text(c.old.id), []byte{'n'}, []byte{'n'})
	}
	if c.op == schema.OpDelete {
		return b
	}
	ref := text(c.new.ref)
	if c.toasted {
		ref = []byte{'u'}
	}
	return appendTuple(append(b, 'N'), text(c.new.id), ref, text(c.new.v))
}

func appendTuple(b []byte, values ...[]byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

func text(s string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'t'}, uint32(len(s))), s...)
}

func encodeMessage(m *message) []byte {
	flags := byte(0)
	if m.transactional {
		flags = 1
	}
	b := binary.BigEndian.AppendUint64([]byte{'M', flags}, uint64(m.lsn))
	b = append(b, m.prefix+"\x00"...)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(m.content))), m.content...)
}

// xlogData wraps a message for the replication stream.
func xlogData(at schema.LSN, payload []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'w'}, uint64(at))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint64(b, postgresTime(time.Now()))
	return append(b, payload...)
}

func keepalive(end schema.LSN, reply bool) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'k'}, uint64(end))
	b = binary.BigEndian.AppendUint64(b, postgresTime(time.Now()))
	if reply {
		return append(b, 1)
	}
	return append(b, 0)
}
