package pgoutput_test

import (
	"github.com/jackc/pglogrepl"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// fromPglogrepl says a message in our types.
func fromPglogrepl(message pglogrepl.Message) pgoutput.Message {
	switch m := message.(type) {
	case *pglogrepl.RelationMessageV2:
		return relationFromPglogrepl(&m.RelationMessage)
	case *pglogrepl.TypeMessageV2:
		return fromPglogrepl(&m.TypeMessage)
	case *pglogrepl.InsertMessageV2:
		return fromPglogrepl(&m.InsertMessage)
	case *pglogrepl.UpdateMessageV2:
		return fromPglogrepl(&m.UpdateMessage)
	case *pglogrepl.DeleteMessageV2:
		return fromPglogrepl(&m.DeleteMessage)
	case *pglogrepl.TruncateMessageV2:
		return fromPglogrepl(&m.TruncateMessage)
	case *pglogrepl.LogicalDecodingMessageV2:
		return fromPglogrepl(&m.LogicalDecodingMessage)
	case *pglogrepl.StreamStartMessageV2:
		return &pgoutput.StreamStart{XID: m.Xid, First: m.FirstSegment == 1}
	case *pglogrepl.StreamStopMessageV2:
		return &pgoutput.StreamStop{}
	case *pglogrepl.StreamCommitMessageV2:
		return &pgoutput.StreamCommit{
			XID: m.Xid, Flags: m.Flags, CommitLSN: schema.LSN(m.CommitLSN),
			EndLSN: schema.LSN(m.TransactionEndLSN), CommitTime: m.CommitTime.UnixMicro(),
		}
	case *pglogrepl.StreamAbortMessageV2:
		return &pgoutput.StreamAbort{XID: m.Xid, SubXID: m.SubXid}
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

// xidFromPglogrepl is the transaction or subtransaction of a message within a
// block, and 0 for any other.
func xidFromPglogrepl(message pglogrepl.Message) uint32 {
	switch m := message.(type) {
	case *pglogrepl.RelationMessageV2:
		return m.Xid
	case *pglogrepl.TypeMessageV2:
		return m.Xid
	case *pglogrepl.InsertMessageV2:
		return m.Xid
	case *pglogrepl.UpdateMessageV2:
		return m.Xid
	case *pglogrepl.DeleteMessageV2:
		return m.Xid
	case *pglogrepl.TruncateMessageV2:
		return m.Xid
	case *pglogrepl.LogicalDecodingMessageV2:
		return m.Xid
	}
	return 0
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
