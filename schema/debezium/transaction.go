package debezium

import (
	"strconv"

	"penstock/schema"
	"penstock/schema/connect"
)

// MessageCollection is what messages are counted under in transaction metadata.
// Debezium means this name too, but prints one of Java's for the object.
const MessageCollection = "LOGICAL_DECODING_MESSAGE"

// Boundary is the beginning or the end of a transaction, a record of the
// transaction metadata topic.
type Boundary struct {
	End    bool
	Source schema.Source // of the commit; its ordinals are not looked at
	Counts []Count       // of the end: what the transaction holds
}

// Count is how many events of one table a transaction holds.
type Count struct {
	Collection string // schema.table, or MessageCollection
	Events     uint64
}

// TransactionKeySchema returns the schema of [Boundary.Key], a new one each time.
func TransactionKeySchema() *connect.Schema {
	return structOf("io.debezium.connector.common.TransactionMetadataKey", 1, field("id", connect.String))
}

// TransactionValueSchema returns the schema of [Boundary.Value], a new one each time.
func TransactionValueSchema() *connect.Schema {
	count := structOf("event.collection", 1, field("data_collection", connect.String), field("event_count", connect.Int64))
	count.Optional = true
	return structOf("io.debezium.connector.common.TransactionMetadataValue", 1,
		field("status", connect.String),
		field("id", connect.String),
		optional("event_count", connect.Int64),
		connect.Field{Name: "data_collections", Schema: &connect.Schema{Kind: connect.Array, Optional: true, Elem: count}},
		field("ts_ms", connect.Int64),
	)
}

// Key makes the record's key: the transaction's id.
func (b *Boundary) Key(a *connect.Arena) connect.Value {
	return structValue(a, transactionID(a, &b.Source))
}

// Value makes the record's value. Its time is the commit's.
func (b *Boundary) Value(a *connect.Arena) connect.Value {
	status, id, ts := constant("BEGIN"), transactionID(a, &b.Source), connect.Int(millis(b.Source.CommitTime))
	if !b.End {
		return structValue(a, status, id, connect.Value{}, connect.Value{}, ts)
	}
	status = constant("END")
	total, counts := uint64(0), a.Values(len(b.Counts))
	for i, c := range b.Counts {
		total += c.Events
		counts[i] = structValue(a, text(a, c.Collection), connect.Int(int64(c.Events)))
	}
	return structValue(a, status, id, connect.Int(int64(total)), connect.List(counts), ts)
}

func transactionBlockSchema() *connect.Schema {
	s := structOf("event.block", 1,
		field("id", connect.String),
		field("total_order", connect.Int64),
		field("data_collection_order", connect.Int64),
	)
	s.Optional = true
	return s
}

// transactionBlock is where an event stands in its transaction, counted from 1;
// null for what is in none.
func transactionBlock(a *connect.Arena, s *schema.Source) connect.Value {
	if s.XID == 0 {
		return connect.Value{}
	}
	return structValue(a, transactionID(a, s), connect.Int(int64(s.TotalSeq)+1), connect.Int(int64(s.TableSeq)+1))
}

// transactionID is one id for all records of a transaction, the transaction's
// and the commit's LSN. Debezium's has the LSN of the event, so that its
// beginning, its events and its end do not agree.
func transactionID(a *connect.Arena, s *schema.Source) connect.Value {
	b := strconv.AppendUint(a.Buffer(32), uint64(s.XID), 10)
	b = strconv.AppendInt(append(b, ':'), int64(s.CommitLSN), 10)
	return connect.Text(a.Keep(b))
}
