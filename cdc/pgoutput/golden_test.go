package pgoutput_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

func TestGoldensRenderAsRecorded(t *testing.T) {
	for _, s := range load(t) {
		t.Run(s.name(), func(t *testing.T) {
			if len(s.messages) == 0 {
				t.Fatal("nothing recorded: run the live test with -rewrite")
			}
			if diff := cmp.Diff(s.rendered, renderAll(t, s.messages, false)); diff != "" {
				t.Errorf("rendering differs (-recorded +now):\n%s", diff)
			}
		})
	}
}

// renderAll decodes messages with one Decoder, so that its reuse is under test too.
func renderAll(t *testing.T, messages [][]byte, portable bool) []string {
	t.Helper()
	var decoder pgoutput.Decoder
	r := newRenderer(portable)
	lines := make([]string, len(messages))
	for i, data := range messages {
		m, err := decoder.Parse(data)
		if err != nil {
			t.Fatalf("message %d (%x): %v", i, data, err)
		}
		lines[i] = r.render(m)
	}
	return lines
}

func TestEveryKindIsRecorded(t *testing.T) {
	recorded := map[pgoutput.Kind]bool{}
	for _, data := range loadMessages(t) {
		recorded[pgoutput.Kind(data[0])] = true
	}
	for _, kind := range []pgoutput.Kind{
		pgoutput.KindBegin, pgoutput.KindCommit, pgoutput.KindOrigin, pgoutput.KindRelation, pgoutput.KindType,
		pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete, pgoutput.KindTruncate, pgoutput.KindLogicalMessage,
	} {
		if !recorded[kind] {
			t.Errorf("no golden holds a %s message", kind)
		}
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, data := range loadMessages(t) {
		for n := range data {
			// A copy of the exact size lets the race and bounds checks see an overrun.
			prefix := bytes.Clone(data[:n])
			m, err := pgoutput.Parse(prefix)
			checkRefused(t, prefix, m, err)
		}
	}
}

func TestTrailingBytesAreRefused(t *testing.T) {
	for _, data := range loadMessages(t) {
		longer := append(bytes.Clone(data), 0)
		m, err := pgoutput.Parse(longer)
		checkRefused(t, longer, m, err)
	}
}

// checkRefused wants no message and an error that points into the data.
func checkRefused(t *testing.T, data []byte, m pgoutput.Message, err error) {
	t.Helper()
	var format *pgoutput.FormatError
	switch {
	case !errors.As(err, &format):
		t.Fatalf("%x: got message %+v, error %v; want a FormatError", data, m, err)
	case m != nil:
		t.Fatalf("%x: got a message beside error %v", data, err)
	case format.Offset < 0 || format.Offset > len(data):
		t.Fatalf("%x: offset %d is not in the message", data, format.Offset)
	case len(data) > 0 && format.Kind != pgoutput.Kind(data[0]):
		t.Fatalf("%x: kind %q, want the first byte", data, byte(format.Kind))
	}
}

// TestAgreesWithPglogrepl compares with the decoder most others use, on valid
// messages only: it panics on many that are not.
func TestAgreesWithPglogrepl(t *testing.T) {
	for _, data := range loadMessages(t) {
		if pgoutput.Kind(data[0]) == pgoutput.KindInsert && len(data) == shortestInsert {
			continue
		}
		want, err := pglogrepl.Parse(data)
		if err != nil {
			t.Fatalf("pglogrepl %x: %v", data, err)
		}
		got, err := pgoutput.Parse(data)
		if err != nil {
			t.Fatalf("%x: %v", data, err)
		}
		if diff := cmp.Diff(fromPglogrepl(want), got, ignoreReuse); diff != "" {
			t.Errorf("%x (-pglogrepl +ours):\n%s", data, diff)
		}
	}
}

// shortestInsert is the length of a row without columns, which the server sends
// and pglogrepl refuses.
const shortestInsert = 1 + 4 + 1 + 2

// fromPglogrepl says a message in our types.
func fromPglogrepl(message pglogrepl.Message) pgoutput.Message {
	switch m := message.(type) {
	case *pglogrepl.BeginMessage:
		return &pgoutput.Begin{FinalLSN: schema.LSN(m.FinalLSN), CommitTime: m.CommitTime.UnixMicro(), XID: m.Xid}
	case *pglogrepl.CommitMessage:
		return &pgoutput.Commit{
			Flags: m.Flags, CommitLSN: schema.LSN(m.CommitLSN),
			EndLSN: schema.LSN(m.TransactionEndLSN), CommitTime: m.CommitTime.UnixMicro(),
		}
	case *pglogrepl.OriginMessage:
		return &pgoutput.Origin{CommitLSN: schema.LSN(m.CommitLSN), Name: m.Name}
	case *pglogrepl.RelationMessage:
		return relationFromPglogrepl(m)
	case *pglogrepl.TypeMessage:
		return &pgoutput.Type{OID: m.DataType, Schema: m.Namespace, Name: m.Name}
	case *pglogrepl.InsertMessage:
		return &pgoutput.Insert{RelationOID: m.RelationID, New: tupleFromPglogrepl(m.Tuple)}
	case *pglogrepl.DeleteMessage:
		return &pgoutput.Delete{
			RelationOID: m.RelationID, OldImage: pgoutput.Image(m.OldTupleType), Old: tupleFromPglogrepl(m.OldTuple),
		}
	case *pglogrepl.TruncateMessage:
		return &pgoutput.Truncate{
			RelationOIDs:    m.RelationIDs,
			Cascade:         m.Option&pglogrepl.TruncateOptionCascade != 0,
			RestartIdentity: m.Option&pglogrepl.TruncateOptionRestartIdentity != 0,
		}
	case *pglogrepl.LogicalDecodingMessage:
		return &pgoutput.LogicalMessage{
			Transactional: m.Transactional, LSN: schema.LSN(m.LSN), Prefix: m.Prefix, Content: m.Content,
		}
	case *pglogrepl.UpdateMessage:
		return &pgoutput.Update{
			RelationOID: m.RelationID, OldImage: pgoutput.Image(m.OldTupleType),
			Old: tupleFromPglogrepl(m.OldTuple), New: tupleFromPglogrepl(m.NewTuple),
		}
	}
	return nil
}

func relationFromPglogrepl(m *pglogrepl.RelationMessage) *pgoutput.Relation {
	rel := &schema.Relation{
		OID:      m.RelationID,
		Table:    schema.TableName{Schema: m.Namespace, Name: m.RelationName},
		Identity: schema.ReplicaIdentity(m.ReplicaIdentity),
		Columns:  []schema.Column{},
	}
	for _, column := range m.Columns {
		rel.Columns = append(rel.Columns, schema.Column{
			Name: column.Name, TypeOID: column.DataType, TypeMod: column.TypeModifier, Identity: column.Flags == 1,
		})
	}
	return &pgoutput.Relation{Relation: rel}
}

func tupleFromPglogrepl(m *pglogrepl.TupleData) schema.Tuple {
	if m == nil {
		return nil
	}
	kinds := map[uint8]schema.ValueKind{
		pglogrepl.TupleDataTypeNull:   schema.Null,
		pglogrepl.TupleDataTypeToast:  schema.Unchanged,
		pglogrepl.TupleDataTypeText:   schema.Text,
		pglogrepl.TupleDataTypeBinary: schema.Binary,
	}
	tuple := schema.Tuple{}
	for _, column := range m.Columns {
		tuple = append(tuple, schema.Value{Kind: kinds[column.DataType], Data: column.Data})
	}
	return tuple
}
