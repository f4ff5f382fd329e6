package debezium

import (
	"encoding/hex"
	"fmt"

	"penstock/schema"
	"penstock/schema/connect"
)

// Messages maps pg_logical_emit_message to Debezium's records. Immutable: safe
// for concurrent use, each goroutine with an arena of its own.
type Messages struct {
	key          *connect.Schema
	envelope     *connect.Schema
	content      column
	source       sourceBlock
	transactions bool
}

// CompileMessages makes the mapping of messages. transactions fills the
// transaction block, as [Spec] says. The content is in the form that the options
// give to bytea.
func CompileMessages(origin Origin, transactions bool, options Options) *Messages {
	bytea := schema.Type{OID: 17, Schema: "pg_catalog", Name: "bytea", Kind: schema.TypeBase, Mod: -1}
	content := newColumn(&schema.Column{Name: "content", TypeOID: bytea.OID, TypeMod: -1, Type: &bytea}, &options)
	message := structOf("io.debezium.connector.postgresql.Message", 1,
		optional("prefix", connect.String),
		connect.Field{Name: "content", Schema: content.schema},
	)
	return &Messages{
		key: structOf("io.debezium.connector.postgresql.MessageKey", 1, optional("prefix", connect.String)),
		envelope: structOf("io.debezium.connector.postgresql.MessageValue", 1,
			field("op", connect.String),
			optional("ts_ms", connect.Int64),
			connect.Field{Name: "source", Schema: sourceSchema()},
			connect.Field{Name: "transaction", Schema: transactionBlockSchema()},
			connect.Field{Name: "message", Schema: message},
		),
		content:      content,
		source:       newSourceBlock(&origin, schema.TableName{}),
		transactions: transactions,
	}
}

// KeySchema is the schema of what [Messages.Key] makes.
func (m *Messages) KeySchema() *connect.Schema { return m.key }

// ValueSchema is the schema of what [Messages.Value] makes.
func (m *Messages) ValueSchema() *connect.Schema { return m.envelope }

// Key makes the key of a message: its prefix.
func (m *Messages) Key(a *connect.Arena, e *schema.Event) connect.Value {
	return structValue(a, text(a, e.Message.Prefix))
}

// Value makes the envelope of a message. nowMicros is the time of processing in
// microseconds since the Unix epoch.
func (m *Messages) Value(a *connect.Arena, e *schema.Event, nowMicros int64) (connect.Value, error) {
	// Postgres' text of bytea is what the column reads.
	digits := append(a.Buffer(2+hex.EncodedLen(len(e.Message.Content))), `\x`...)
	content, err := m.content.convert(a, a.Keep(hex.AppendEncode(digits, e.Message.Content)))
	if err != nil {
		return connect.Value{}, fmt.Errorf("message %q: content: %w", e.Message.Prefix, err)
	}
	var transaction connect.Value
	if m.transactions && e.Message.Transactional {
		transaction = transactionBlock(a, &e.Source)
	}
	return structValue(a,
		opValue(a, schema.OpMessage), connect.Int(millis(nowMicros)), m.source.value(a, &e.Source, nowMicros),
		transaction, structValue(a, text(a, e.Message.Prefix), content)), nil
}
