package redis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"penstock/sink"
)

// The fields of an event's hash. A field whose column is NULL is absent.
const (
	fieldVersion = "_v" // 20 decimal digits
	fieldDeleted = "_d" // on a tombstone only

	fieldEventID   = "event_id"
	fieldContentID = "content_id"
	fieldUserID    = "user_id"
	fieldTime      = "event_time_str"
	fieldSeconds   = "engagement_seconds_str"
	fieldDuration  = "duration_ms_str"

	fieldType        = "event_type"
	fieldDevice      = "device"
	fieldPct         = "engagement_pct_str"
	fieldContentType = "content_type"
	fieldSlug        = "slug"
	fieldTitle       = "title"
	fieldLength      = "length_seconds_str"
)

// fields appends a row's fields and values, alternating.
func fields(dst []string, row *sink.Row) []string {
	dst = append(dst, fieldEventID, strconv.FormatInt(row.ID, 10), fieldTime, formatTime(row.Time))
	dst = appendField(dst, fieldContentID, row.ContentID, sink.UUID.String)
	dst = appendField(dst, fieldUserID, row.UserID, sink.UUID.String)
	dst = appendField(dst, fieldSeconds, row.Seconds, formatFloat)
	dst = appendField(dst, fieldDuration, row.DurationMS, formatInt)
	dst = appendField(dst, fieldPct, row.Pct, formatFloat)
	dst = appendField(dst, fieldLength, row.LengthSeconds, formatInt)
	for _, text := range []struct {
		name  string
		value sink.Null[string]
	}{
		{fieldType, row.Type}, {fieldDevice, row.Device},
		{fieldContentType, row.ContentType}, {fieldSlug, row.Slug}, {fieldTitle, row.Title},
	} {
		if text.value.Valid {
			dst = append(dst, text.name, text.value.Value)
		}
	}
	return dst
}

func appendField[T any](dst []string, name string, v sink.Null[T], format func(T) string) []string {
	if !v.Valid {
		return dst
	}
	return append(dst, name, format(v.Value))
}

// formatVersion pads the version so that comparing texts compares numbers.
func formatVersion(version int64) string { return fmt.Sprintf("%020d", version) }

func formatInt(v int64) string { return strconv.FormatInt(v, 10) }

// The layouts of a time without zone, as Python's str(datetime) prints one in UTC.
const (
	layoutSeconds = "2006-01-02 15:04:05"
	layoutMicros  = "2006-01-02 15:04:05.000000"
)

// formatTime prints microseconds since the Unix epoch as Python does: with six
// digits of fraction, or none when it is zero.
func formatTime(micros int64) string {
	at := time.UnixMicro(micros).UTC()
	if at.Nanosecond() == 0 {
		return at.Format(layoutSeconds)
	}
	return at.Format(layoutMicros)
}

// formatFloat prints the shortest text that reads back as v, as Python's repr
// does: always with a fraction or an exponent.
func formatFloat(v float64) string {
	text := strconv.FormatFloat(v, 'e', -1, 64)
	_, exponent, found := strings.Cut(text, "e")
	if !found {
		return strings.ToLower(strings.TrimPrefix(text, "+")) // nan, inf
	}
	if n, err := strconv.Atoi(exponent); err != nil || n < -4 || n >= 16 {
		return text
	}
	text = strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
