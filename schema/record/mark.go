package record

import (
	"strconv"

	"penstock/schema"
)

// Mark announces one end of a commit that is split over several Kafka
// transactions: its begin comes in the transaction of the first part, its end in
// that of the last. A reader who wants such a commit at once waits for the end.
// Commits that are not split have no marks: they are seen at once anyway.
type Mark struct {
	End    bool
	Source schema.Source  // of the commit; Seq is not looked at
	Counts []ChangedTable // of the end: what the commit holds
}

// ChangedTable is how many changes of one table a commit holds, or how many messages.
type ChangedTable struct {
	Table    schema.TableName
	Messages bool // of pg_logical_emit_message; Table is empty then
	Changes  uint64
}

// Name is the collection's name in Debezium's transaction metadata.
func (c *ChangedTable) Name() string {
	if c.Messages {
		return "LOGICAL_DECODING_MESSAGE"
	}
	return c.Table.String()
}

// id names a commit as Debezium's transaction metadata does.
func (m *Mark) id() string {
	return strconv.FormatUint(uint64(m.Source.XID), 10) + ":" + strconv.FormatUint(uint64(m.Source.CommitLSN), 10)
}

// AppendMarkKey appends the key of a mark's record, a JSON object with the id.
func AppendMarkKey(dst []byte, m *Mark) []byte {
	return append(appendString(append(dst, `{"id":`...), m.id()), '}')
}

// AppendMark appends the value of a mark's record: the JSON of an event on
// Debezium's transaction metadata topic.
func AppendMark(dst []byte, m *Mark) []byte {
	status := "BEGIN"
	if m.End {
		status = "END"
	}
	dst = append(append(append(dst, `{"status":"`...), status...), `","id":`...)
	dst = appendString(dst, m.id())
	dst = strconv.AppendInt(append(dst, `,"ts_ms":`...), m.Source.CommitTime/1000, 10)
	if !m.End {
		return append(dst, `,"event_count":null,"data_collections":null}`...)
	}
	total := uint64(0)
	for _, c := range m.Counts {
		total += c.Changes
	}
	dst = strconv.AppendUint(append(dst, `,"event_count":`...), total, 10)
	dst = append(dst, `,"data_collections":[`...)
	for i := range m.Counts {
		c := &m.Counts[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"data_collection":`...), c.Name())
		dst = append(strconv.AppendUint(append(dst, `,"event_count":`...), c.Changes, 10), '}')
	}
	return append(dst, "]}"...)
}
