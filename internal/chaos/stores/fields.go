package stores

import "strings"

// null stands for NULL in a field; no text of the load looks like it.
const null = "\x00NULL"

// fields are a row's, as text, in an order that its kind of row has.
type fields []string

// The fields of an event, joined with its content.
const (
	eventID = iota
	contentID
	contentKey // content_id, or the zero uuid for NULL
	day        // of event_ts, in UTC
	millis     // event_ts, since the Unix epoch
	micros     // event_ts, since the Unix epoch
	timeText   // event_ts, as the hashes have it
	userID
	eventType
	durationMS
	device
	rawPayload
	seconds
	share
	contentType
	slug
	title
	length
	eventFields // how many there are
)

// The fields of a content.
const (
	cID = iota
	cSlug
	cTitle
	cType
	cLength
	cPublished // microseconds since the Unix epoch
	contentFields
)

// form is how a column of Cassandra is read.
type form int

const (
	asText form = iota
	asBigint
	asDouble
	asMillis
)

// column is a column of Cassandra and the field that it must equal.
type column struct {
	name  string
	field int
	form  form
	key   bool // of the primary key, so it has no write time
}

// table is a table of Cassandra with a row for each event or content.
type table struct {
	name    string
	fields  int
	id      int // the field that tells rows apart
	columns []column
}

// rest are the columns of an event that both tables have outside their keys.
func rest() []column {
	return []column{
		{"event_ts_us", micros, asBigint, false}, {"user_id", userID, asText, false}, {"event_type", eventType, asText, false},
		{"duration_ms", durationMS, asBigint, false}, {"device", device, asText, false}, {"raw_payload", rawPayload, asText, false},
		{"engagement_seconds", seconds, asDouble, false}, {"engagement_pct", share, asDouble, false},
		{"content_type", contentType, asText, false}, {"slug", slug, asText, false}, {"title", title, asText, false},
		{"length_seconds", length, asBigint, false},
	}
}

// The tables that are held against SQL.
func metrics() table {
	return table{"engagement_metrics", eventFields, eventID, append([]column{
		{"content_id", contentKey, asText, true}, {"day", day, asText, true}, {"event_ts", millis, asMillis, true}, {"event_id", eventID, asBigint, true},
	}, rest()...)}
}

func byEvent() table {
	return table{"engagement_by_event", eventFields, eventID, append([]column{
		{"event_id", eventID, asBigint, true}, {"content_id", contentID, asText, false}, {"event_ts", millis, asMillis, false},
	}, rest()...)}
}

func contents() table {
	return table{"content", contentFields, cID, []column{
		{"content_id", cID, asText, true}, {"slug", cSlug, asText, false}, {"title", cTitle, asText, false}, {"content_type", cType, asText, false},
		{"length_seconds", cLength, asBigint, false}, {"publish_ts_us", cPublished, asBigint, false},
	}}
}

// hashFields are the fields of a hash and those of the event that they must equal.
func hashFields() map[string]int {
	return map[string]int{
		"event_id": eventID, "event_time_str": timeText, "content_id": contentID, "user_id": userID, "engagement_seconds_str": seconds,
		"duration_ms_str": durationMS, "engagement_pct_str": share, "length_seconds_str": length, "event_type": eventType, "device": device,
		"content_type": contentType, "slug": slug, "title": title,
	}
}

// show is a field for people.
func show(text string) string {
	if text == null {
		return "NULL"
	}
	return strings.ToValidUTF8(text, "?")
}
