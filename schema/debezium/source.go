package debezium

import (
	"strconv"

	"penstock/schema"
	"penstock/schema/connect"
)

// Origin is what the source block says of the server and the stream, the same
// for every record of a capture.
type Origin struct {
	Version  string // of the program that wrote the record
	Name     string // the topic prefix
	Database string
}

// sourceBlock makes the source blocks of one table. Its values are shared by all
// of them.
type sourceBlock struct {
	version, connector, name, streamed, database connect.Value
	schema, table                                connect.Value
}

func newSourceBlock(o *Origin, table schema.TableName) sourceBlock {
	return sourceBlock{
		version: constant(o.Version), connector: constant("postgresql"), name: constant(o.Name),
		streamed: constant("false"), database: constant(o.Database),
		schema: constant(table.Schema), table: constant(table.Name),
	}
}

// sourceSchema is the schema of the source block of Debezium's Postgres connector.
func sourceSchema() *connect.Schema {
	streamed := constant("false")
	return structOf("io.debezium.connector.postgresql.Source", 1,
		field("version", connect.String),
		field("connector", connect.String),
		field("name", connect.String),
		field("ts_ms", connect.Int64),
		connect.Field{Name: "snapshot", Schema: &connect.Schema{
			Kind: connect.String, Optional: true, Name: "io.debezium.data.Enum", Version: 1, Default: &streamed,
			Parameters: []connect.Parameter{{
				Key: "allowed", Value: "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental",
			}},
		}},
		field("db", connect.String),
		optional("sequence", connect.String),
		optional("ts_us", connect.Int64),
		optional("ts_ns", connect.Int64),
		field("schema", connect.String),
		field("table", connect.String),
		optional("txId", connect.Int64),
		optional("lsn", connect.Int64),
		optional("xmin", connect.Int64),
		optional("origin", connect.String),
		optional("origin_lsn", connect.Int64),
	)
}

// value makes the block of an event. Its times are the commit's, or nowMicros
// where there is none. A row of an incremental snapshot has no place in the log.
func (b *sourceBlock) value(a *connect.Arena, s *schema.Source, nowMicros int64) connect.Value {
	micros := s.CommitTime
	if micros == 0 {
		micros = nowMicros
	}
	snapshot := b.streamed
	if s.Snapshot != "" {
		snapshot = text(a, s.Snapshot)
	}
	var xid, lsn, origin, originLSN connect.Value
	if s.XID != 0 && s.Snapshot != schema.SnapshotIncremental {
		xid = connect.Int(int64(s.XID))
	}
	if !s.CommitLSN.IsZero() && s.Snapshot != schema.SnapshotIncremental {
		lsn = connect.Int(int64(s.CommitLSN))
	}
	if s.Origin != "" {
		origin = text(a, s.Origin)
		originLSN = connect.Int(int64(s.OriginLSN))
	}
	return structValue(a,
		b.version, b.connector, b.name, connect.Int(millis(micros)), snapshot, b.database, sequence(a, s.CommitLSN),
		connect.Int(micros), connect.Int(nanos(micros)), b.schema, b.table, xid, lsn, connect.Value{}, origin, originLSN)
}

// sequence is the text of a JSON array with the LSN of the last commit and that
// of the row. Both are this commit's: a row's own LSN orders nothing.
func sequence(a *connect.Arena, lsn schema.LSN) connect.Value {
	b := append(a.Buffer(48), '[')
	for i := range 2 {
		if i > 0 {
			b = append(b, ',')
		}
		if lsn.IsZero() {
			b = append(b, "null"...)
			continue
		}
		b = append(strconv.AppendInt(append(b, '"'), int64(lsn), 10), '"')
	}
	return connect.Text(a.Keep(append(b, ']')))
}
