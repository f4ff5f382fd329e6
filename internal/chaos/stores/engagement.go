package stores

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

// eventTruth is the join as Postgres computes it, with texts as the hashes have them.
const eventTruth = `
	WITH joined AS (
		SELECT e.*, c.slug, c.title, c.content_type, c.length_seconds,
			e.duration_ms::float8 / 1000.0::float8 AS seconds,
			(e.duration_ms::float8 / 1000.0::float8) / nullif(c.length_seconds, 0)::float8 AS share
		FROM engagement_events e LEFT JOIN content c ON c.id = e.content_id)
	SELECT id::text, content_id::text, coalesce(content_id, '00000000-0000-0000-0000-000000000000')::text,
		to_char(event_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD'), floor(extract(epoch FROM event_ts) * 1000)::bigint::text,
		(extract(epoch FROM event_ts) * 1000000)::bigint::text,
		to_char(event_ts AT TIME ZONE 'UTC', CASE WHEN extract(microseconds FROM event_ts)::bigint % 1000000 = 0
			THEN 'YYYY-MM-DD HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI:SS.US' END),
		user_id::text, event_type, duration_ms::text, device, raw_payload::text,
		CASE WHEN seconds = trunc(seconds) THEN seconds::text || '.0' ELSE seconds::text END,
		CASE WHEN share = trunc(share) THEN share::text || '.0' ELSE share::text END,
		content_type, slug, title, length_seconds::text
	FROM joined`

const contentTruth = `
	SELECT id::text, slug, title, content_type, length_seconds::text, (extract(epoch FROM publish_ts) * 1000000)::bigint::text FROM content`

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
	}, rest()...), nil}
}

func byEvent() table {
	return table{"engagement_by_event", eventFields, eventID, append([]column{
		{"event_id", eventID, asBigint, true}, {"content_id", contentID, asText, false}, {"event_ts", millis, asMillis, false},
	}, rest()...), nil}
}

func contents() table {
	return table{"content", contentFields, cID, []column{
		{"content_id", cID, asText, true}, {"slug", cSlug, asText, false}, {"title", cTitle, asText, false}, {"content_type", cType, asText, false},
		{"length_seconds", cLength, asBigint, false}, {"publish_ts_us", cPublished, asBigint, false},
	}, nil}
}

// hashFields are the fields of a hash and those of the event that they must equal.
func hashFields() map[string]int {
	return map[string]int{
		"event_id": eventID, "event_time_str": timeText, "content_id": contentID, "user_id": userID, "engagement_seconds_str": seconds,
		"duration_ms_str": durationMS, "engagement_pct_str": share, "length_seconds_str": length, "event_type": eventType, "device": device,
		"content_type": contentType, "slug": slug, "title": title,
	}
}

// Engagement is the preset.
func Engagement() Pipeline {
	return Pipeline{
		Name:    "engagement_metrics",
		sources: map[string]side{"engagement_events": stream, "content": lookup},
		keys:    [2][]string{{"id"}, {"id"}},
		kept: []kept{
			{metrics(), eventTruth, contentID, stream}, {byEvent(), eventTruth, contentID, stream}, {contents(), contentTruth, -1, lookup},
		},
		redis: hashes{eventTruth, contentID, hashFields(), eventFields}, totals: true,
	}
}
