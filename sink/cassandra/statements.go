package cassandra

import (
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"penstock/sink"
)

// statements are the CQL texts for one keyspace. In all writes the version comes
// last, as the timestamp of a delete first.
type statements struct {
	putHistory, putByEvent, putDay, putContent                 string
	deletePlace, deleteByEvent, deleteContent, deleteDay       string
	event, days, history, content, contentIDs, historyContents string
}

const rowColumns = "event_ts, event_ts_us, user_id, event_type, duration_ms, device, raw_payload, " +
	"engagement_seconds, engagement_pct, content_type, slug, title, length_seconds, version"

func newStatements(keyspace string) statements {
	const fourteen = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
	k := keyspace + "."
	return statements{
		putHistory: "INSERT INTO " + k + "engagement_metrics (content_id, day, event_id, " + rowColumns + ") VALUES (?, ?, ?, " + fourteen + ") USING TIMESTAMP ?",
		putByEvent: "INSERT INTO " + k + "engagement_by_event (content_id, event_id, " + rowColumns + ") VALUES (?, ?, " + fourteen + ") USING TIMESTAMP ?",
		putDay:     "INSERT INTO " + k + "engagement_days (content_id, day, version) VALUES (?, ?, ?) USING TIMESTAMP ?",
		putContent: "INSERT INTO " + k + "content (content_id, slug, title, content_type, length_seconds, publish_ts_us, version) " +
			"VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",

		deletePlace:   "DELETE FROM " + k + "engagement_metrics USING TIMESTAMP ? WHERE content_id = ? AND day = ? AND event_ts = ? AND event_id = ?",
		deleteByEvent: "DELETE FROM " + k + "engagement_by_event USING TIMESTAMP ? WHERE event_id = ?",
		deleteContent: "DELETE FROM " + k + "content USING TIMESTAMP ? WHERE content_id = ?",
		deleteDay:     "DELETE FROM " + k + "engagement_metrics USING TIMESTAMP ? WHERE content_id = ? AND day = ?",

		event:           "SELECT event_id, content_id, " + rowColumns + " FROM " + k + "engagement_by_event WHERE event_id = ?",
		days:            "SELECT day FROM " + k + "engagement_days WHERE content_id = ?",
		history:         "SELECT event_id, content_id, " + rowColumns + " FROM " + k + "engagement_metrics WHERE content_id = ? AND day = ?",
		content:         "SELECT slug, title, content_type, length_seconds, publish_ts_us, version FROM " + k + "content WHERE content_id = ?",
		contentIDs:      "SELECT content_id FROM " + k + "content",
		historyContents: "SELECT DISTINCT content_id FROM " + k + "engagement_days",
	}
}

// rowArgs appends the values of rowColumns, then the version as the timestamp.
func rowArgs(args []any, row *sink.Row, version int64) []any {
	return append(args,
		row.Place().Millis, row.Time, uuidArg(row.UserID), arg(row.Type), arg(row.DurationMS), arg(row.Device), arg(row.Payload),
		arg(row.Seconds), arg(row.Pct), arg(row.ContentType), arg(row.Slug), arg(row.Title), arg(row.LengthSeconds),
		version, version)
}

// arg is the bound value of a column: nil writes SQL NULL, which erases an older value.
func arg[T any](v sink.Null[T]) any {
	if !v.Valid {
		return nil
	}
	return v.Value
}

func uuidArg(v sink.Null[sink.UUID]) any {
	if !v.Valid {
		return nil
	}
	return gocql.UUID(v.Value)
}

func dayArg(day int64) time.Time { return time.Unix(day*24*60*60, 0).UTC() }
