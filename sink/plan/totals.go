package plan

import "strings"

// Totals says what a plan counts of its rows, for each join value and hour, and
// where that is kept. All but the names are slots.
type Totals struct {
	ID     int // an Int that tells rows of one join value and time apart
	Time   int // a Time: the hour that a row counts in
	Kind   int // a Text: rows are counted by it
	User   int // a UUID or Text: how many different ones there are
	Millis int // an Int: milliseconds, summed
	Share  int // a Float: 0.5 is half

	Hours, Whole string // tables of Cassandra: by join value and hour, and by join value
	Prefix       string // of the keys of Redis
}

const microsOfHour = 60 * 60 * 1_000_000

// HourOf is a time's UTC hour, counted from the Unix epoch.
func HourOf(v Value) int64 { return floorDiv(v.num, microsOfHour) }

// MinuteOf is which minute of its hour a time lies in.
func MinuteOf(v Value) int { return int((v.num - HourOf(v)*microsOfHour) / (60 * 1_000_000)) }

// engagementTotals is what the preset counts. prefix is that of the hashes of events.
func (b *builder) engagementTotals(prefix string) *Totals {
	slot := func(column string) int { return b.columns[column].slot }
	return &Totals{
		ID: slot("event_id"), Time: slot("event_ts"), Kind: slot("event_type"), User: slot("user_id"),
		Millis: slot("duration_ms"), Share: slot("engagement_pct"),
		Hours: "engagement_hours", Whole: "engagement_totals", Prefix: strings.TrimSuffix(prefix, "event:"),
	}
}
