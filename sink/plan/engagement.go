package plan

import "penstock/schema"

// Engagement is the plan of the preset: engagement events joined to the content
// that they are about, under their content and day in the order of time and by
// their id, with the duration in seconds and its share of the content's length.
// prefix begins the keys of the hashes; an event's id follows.
func Engagement(stream, lookup schema.TableName, prefix string) *Plan {
	b := newBuilder(&Declaration{
		Name: "engagement",
		Stream: Side{Table: stream, Join: "content_id", Columns: []Column{
			{Name: "id", Type: Int, NotNull: true}, {Name: "content_id", Type: UUID}, {Name: "user_id", Type: UUID}, {Name: "event_type", Type: Text},
			{Name: "event_ts", Type: Time, NotNull: true}, {Name: "duration_ms", Type: Int}, {Name: "device", Type: Text}, {Name: "raw_payload", Type: Text},
		}},
		Key: []string{"id"},
		Lookup: Side{Table: lookup, Join: "id", Columns: []Column{
			{Name: "id", Type: UUID, NotNull: true}, {Name: "slug", Type: Text}, {Name: "title", Type: Text}, {Name: "content_type", Type: Text},
			{Name: "length_seconds", Type: Int}, {Name: "publish_ts", Type: Time},
		}},
		Columns: []Output{
			{"event_id", "stream.id"}, {"content_id", "stream.content_id"}, {"event_ts", "stream.event_ts"}, {"user_id", "stream.user_id"},
			{"event_type", "stream.event_type"}, {"duration_ms", "stream.duration_ms"}, {"device", "stream.device"}, {"raw_payload", "stream.raw_payload"},
			{"engagement_seconds", "stream.duration_ms / 1000.0"},
			{"engagement_pct", "stream.duration_ms / 1000.0 / lookup.length_seconds"},
			{"content_type", "lookup.content_type"}, {"slug", "lookup.slug"}, {"title", "lookup.title"}, {"length_seconds", "lookup.length_seconds"},
		},
	})
	b.sides()
	b.outputs()
	if len(b.problems) > 0 {
		panic("the preset engagement: " + b.problems[0].Error())
	}
	b.engagementTables()
	p := b.plan
	p.none, _ = UUIDOf(zeroUUID)
	id := b.columns["event_id"].slot
	p.Redis = RedisHash{Key: []KeyPart{{Literal: prefix}, {Slot: id}}, Place: p.Views[0].Place}
	for _, field := range [][2]string{
		{"event_id", "event_id"}, {"event_time_str", "event_ts"}, {"content_id", "content_id"}, {"user_id", "user_id"},
		{"engagement_seconds_str", "engagement_seconds"}, {"duration_ms_str", "duration_ms"}, {"engagement_pct_str", "engagement_pct"},
		{"length_seconds_str", "length_seconds"}, {"event_type", "event_type"}, {"device", "device"}, {"content_type", "content_type"},
		{"slug", "slug"}, {"title", "title"},
	} {
		p.Redis.Fields = append(p.Redis.Fields, Field{Name: field[0], Slot: b.columns[field[1]].slot})
	}
	p.Totals = b.engagementTotals(prefix)
	return p
}

// engagementTables are the tables as readers of the preset know them. The history
// is one of them, so that it needs no other.
func (b *builder) engagementTables() {
	p := b.plan
	column := func(name string) TableColumn { return b.tableColumn(name, b.columns[name].slot, Plain) }
	at := func(name, of string, form Form) TableColumn { return b.tableColumn(name, b.columns[of].slot, form) }
	content, day, id, ts := at("content_id", "content_id", OrZero), at("day", "event_ts", Day), column("event_id"), column("event_ts")
	rest := []TableColumn{
		at("event_ts_us", "event_ts", Micros), column("user_id"), column("event_type"), column("duration_ms"), column("device"), column("raw_payload"),
		column("engagement_seconds"), column("engagement_pct"), column("content_type"), column("slug"), column("title"), column("length_seconds"),
	}
	p.History = Table{
		Name: "engagement_metrics", Partition: 2, Clustering: 2, Descending: []bool{false, false},
		Columns: append([]TableColumn{content, day, ts, id}, rest...),
	}
	p.History.Place = p.placeOf(Place{content.Part, ts.Part, id.Part})
	p.Days = Table{Name: "engagement_days", Partition: 1, Clustering: 1, Descending: []bool{false}, Columns: []TableColumn{content, day}, Place: -1}
	p.Views = []Table{{
		Name: "engagement_by_event", Partition: 1, Columns: append([]TableColumn{id, column("content_id"), ts}, rest...),
		Place: p.placeOf(Place{id.Part}),
	}}
	source := func(name, of string, form Form) TableColumn { return b.tableColumn(name, p.Slot("lookup."+of), form) }
	p.Lookups = Table{Name: "content", Partition: 1, Place: -1, Columns: []TableColumn{
		source("content_id", "id", Plain), source("slug", "slug", Plain), source("title", "title", Plain), source("content_type", "content_type", Plain),
		source("length_seconds", "length_seconds", Plain), source("publish_ts_us", "publish_ts", Micros),
	}}
}
