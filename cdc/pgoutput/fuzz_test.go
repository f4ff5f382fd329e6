package pgoutput_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// ignoreReuse hides what a decoder keeps for its next message.
var ignoreReuse = cmpopts.IgnoreUnexported(pgoutput.Update{})

// FuzzPgoutput: must not panic, must not hold more than the input covers, and must
// take each input for exactly one message: what is accepted encodes to the same
// bytes again, and a decoder that has seen other messages decodes it alike.
func FuzzPgoutput(f *testing.F) {
	goldens := loadMessages(f)
	for _, data := range goldens {
		f.Add(data)
	}
	for _, data := range [][]byte{nil, insertRow(), updateRow()} {
		f.Add(data)
	}
	var used pgoutput.Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, golden := range [][]byte{updateRow(), insertRow(), goldens[0]} {
			if _, err := used.Parse(golden); err != nil {
				t.Fatal(err)
			}
		}
		m, err := pgoutput.Parse(data)
		again, errAgain := used.Parse(data)
		if diff := cmp.Diff(err, errAgain); diff != "" {
			t.Fatalf("a used decoder says otherwise:\n%s", diff)
		}
		if err != nil {
			checkRefused(t, data, m, err)
			return
		}
		if diff := cmp.Diff(m, again, ignoreReuse, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a used decoder decodes otherwise:\n%s", diff)
		}
		if clampedTime(m) {
			return
		}
		if encoded := encode(m); !bytes.Equal(encoded, data) {
			t.Fatalf("%x is encoded again as %x", data, encoded)
		}
	})
}

// postgresEpoch is 2000-01-01 in microseconds since the Unix epoch.
const postgresEpoch = 946_684_800_000_000

// clampedTime reports a commit time that may stand for several on the wire.
func clampedTime(message pgoutput.Message) bool {
	switch m := message.(type) {
	case *pgoutput.Begin:
		return m.CommitTime == math.MaxInt64
	case *pgoutput.Commit:
		return m.CommitTime == math.MaxInt64
	case *pgoutput.StreamCommit:
		return m.CommitTime == math.MaxInt64
	}
	return false
}

// encode is the inverse of Parse.
func encode(message pgoutput.Message) []byte {
	switch m := message.(type) {
	case *pgoutput.Begin:
		return wire('B', uint64(m.FinalLSN), uint64(m.CommitTime-postgresEpoch), m.XID)
	case *pgoutput.Commit:
		return wire('C', m.Flags, uint64(m.CommitLSN), uint64(m.EndLSN), uint64(m.CommitTime-postgresEpoch))
	case *pgoutput.Origin:
		return wire('O', uint64(m.CommitLSN), m.Name, "\x00")
	case *pgoutput.Relation:
		return encodeRelation(m.Relation)
	case *pgoutput.Type:
		return wire('Y', m.OID, m.Schema, "\x00", m.Name, "\x00")
	case *pgoutput.Insert:
		return append(wire('I', m.RelationOID, 'N'), encodeTuple(m.New)...)
	case *pgoutput.Update:
		data := wire('U', m.RelationOID)
		if m.OldImage != pgoutput.ImageNone {
			data = append(append(data, byte(m.OldImage)), encodeTuple(m.Old)...)
		}
		return append(append(data, 'N'), encodeTuple(m.New)...)
	case *pgoutput.Delete:
		return append(wire('D', m.RelationOID, byte(m.OldImage)), encodeTuple(m.Old)...)
	case *pgoutput.Truncate:
		data := wire('T', uint32(len(m.RelationOIDs)), bit(m.Cascade, 1)|bit(m.RestartIdentity, 2))
		for _, oid := range m.RelationOIDs {
			data = append(data, wire(oid)...)
		}
		return data
	case *pgoutput.LogicalMessage:
		return wire('M', bit(m.Transactional, 1), uint64(m.LSN), m.Prefix, "\x00", uint32(len(m.Content)), string(m.Content))
	case *pgoutput.StreamStart:
		return wire('S', m.XID, bit(m.First, 1))
	case *pgoutput.StreamStop:
		return wire('E')
	case *pgoutput.StreamCommit:
		return wire('c', m.XID, m.Flags, uint64(m.CommitLSN), uint64(m.EndLSN), uint64(m.CommitTime-postgresEpoch))
	case *pgoutput.StreamAbort:
		return wire('A', m.XID, m.SubXID)
	}
	return nil
}

func encodeRelation(rel *schema.Relation) []byte {
	data := wire('R', rel.OID, rel.Table.Schema, "\x00", rel.Table.Name, "\x00", byte(rel.Identity), uint16(len(rel.Columns)))
	for _, column := range rel.Columns {
		data = append(data, wire(bit(column.Identity, 1), column.Name, "\x00", column.TypeOID, uint32(column.TypeMod))...)
	}
	return data
}

func encodeTuple(tuple schema.Tuple) []byte {
	data := wire(uint16(len(tuple)))
	for _, value := range tuple {
		switch value.Kind {
		case schema.Null:
			data = append(data, 'n')
		case schema.Unchanged:
			data = append(data, 'u')
		case schema.Text:
			data = append(data, wire('t', uint32(len(value.Data)), string(value.Data))...)
		case schema.Binary:
			data = append(data, wire('b', uint32(len(value.Data)), string(value.Data))...)
		}
	}
	return data
}

func bit(set bool, value byte) byte {
	if set {
		return value
	}
	return 0
}
