package record

import (
	"strconv"

	"penstock/schema"
)

// Origin is what the source block says about the server and the stream, the
// same for every record of a capture.
type Origin struct {
	Version  string // of the program that wrote the record
	Name     string // the capture's name, Debezium's topic prefix
	Database string
}

// Image is one record's change: what of an event goes into one envelope. An
// update that changed the key makes two.
type Image struct {
	Op     schema.Op
	Before schema.Tuple // nil prints null
	After  schema.Tuple // nil prints null
}

// AppendKey appends the JSON object of the key columns, in their order, such as
// {"id":1}. columns are indexes into the relation.
func AppendKey(dst []byte, rel *schema.Relation, tuple schema.Tuple, columns []int) []byte {
	dst = append(dst, '{')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, rel.Columns[c].Name)
		dst = append(dst, ':')
		dst = appendValue(dst, rel.Columns[c].TypeOID, tuple[c])
	}
	return append(dst, '}')
}

// AppendEnvelope appends the value of a data record: Debezium's envelope for
// Postgres as JSON without an inline schema, in its default modes. nowMicros is
// the time of processing in microseconds since the Unix epoch.
//
// Every integer, float and boolean type is a JSON value of its kind, a
// timestamp with time zone is ISO 8601 in UTC, all else is Postgres' text.
func AppendEnvelope(dst []byte, origin *Origin, e *schema.Event, image Image, nowMicros int64) []byte {
	dst = append(dst, `{"before":`...)
	dst = appendRow(dst, e.Relation, image.Before)
	dst = append(dst, `,"after":`...)
	dst = appendRow(dst, e.Relation, image.After)
	dst = append(dst, `,"source":`...)
	dst = appendSource(dst, origin, e)
	dst = append(dst, `,"transaction":null,"op":"`...)
	dst = append(dst, byte(image.Op), '"')
	dst = appendTimes(dst, nowMicros)
	return append(dst, '}')
}

func appendRow(dst []byte, rel *schema.Relation, row schema.Tuple) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, rel.Columns[i].Name)
		dst = append(dst, ':')
		dst = appendValue(dst, rel.Columns[i].TypeOID, row[i])
	}
	return append(dst, '}')
}

func appendSource(dst []byte, origin *Origin, e *schema.Event) []byte {
	dst = append(dst, `{"version":`...)
	dst = appendString(dst, origin.Version)
	dst = append(dst, `,"connector":"postgresql","name":`...)
	dst = appendString(dst, origin.Name)
	dst = appendTimes(dst, e.Source.CommitTime)
	dst = append(dst, `,"snapshot":"false","db":`...)
	dst = appendString(dst, origin.Database)
	// Both halves are the commit LSN: a row's own LSN orders nothing.
	dst = append(dst, `,"sequence":"[\"`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.CommitLSN), 10)
	dst = append(dst, `\",\"`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.CommitLSN), 10)
	dst = append(dst, `\"]","schema":`...)
	dst = appendString(dst, e.Relation.Table.Schema)
	dst = append(dst, `,"table":`...)
	dst = appendString(dst, e.Relation.Table.Name)
	dst = append(dst, `,"txId":`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.XID), 10)
	dst = append(dst, `,"lsn":`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.CommitLSN), 10)
	return append(dst, `,"xmin":null}`...)
}

// appendTimes appends the three precisions of one time, each after a comma.
func appendTimes(dst []byte, micros int64) []byte {
	dst = append(dst, `,"ts_ms":`...)
	dst = strconv.AppendInt(dst, micros/1000, 10)
	dst = append(dst, `,"ts_us":`...)
	dst = strconv.AppendInt(dst, micros, 10)
	dst = append(dst, `,"ts_ns":`...)
	return strconv.AppendInt(dst, micros*1000, 10) // overflows in the year 2262
}
