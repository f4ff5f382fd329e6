package sink

// Null is a column that may hold SQL NULL: Value counts only when Valid.
type Null[T any] struct {
	Value T
	Valid bool
}

// Some returns a Null that holds the value.
func Some[T any](value T) Null[T] { return Null[T]{Value: value, Valid: true} }

// Engagement is one row of the stream table. Times are microseconds since the
// Unix epoch, UTC.
type Engagement struct {
	ID         int64
	ContentID  Null[UUID]
	UserID     Null[UUID]
	Type       Null[string]
	Time       int64
	DurationMS Null[int64]
	Device     Null[string]
	Payload    Null[string] // JSON text
}

// Partition is the content id that the history keeps the event under.
func (e *Engagement) Partition() UUID { return e.ContentID.Value }

// Place returns where the history keeps the event.
func (e *Engagement) Place() Place {
	return Place{Content: e.Partition(), Millis: floorDiv(e.Time, 1000), Event: e.ID}
}

// Content is one row of the lookup table as the source had it at Version. A
// Content that does not exist was deleted or never seen.
type Content struct {
	ID            UUID
	Slug          Null[string]
	Title         Null[string]
	Type          Null[string]
	LengthSeconds Null[int64]
	PublishTime   Null[int64] // microseconds since the Unix epoch, UTC

	Exists  bool
	Version int64
}

// Row is an event enriched with its content: what the stores hold. Seconds is
// the engagement's duration, Pct its share of the content's length (0.5 is half).
// Both are NULL where what they are computed from is.
type Row struct {
	Engagement

	Seconds Null[float64]
	Pct     Null[float64]

	ContentType   Null[string]
	Slug          Null[string]
	Title         Null[string]
	LengthSeconds Null[int64]
}

// Place is where the history keeps an event: its content, its time in
// milliseconds since the Unix epoch (what a Cassandra timestamp holds) and its
// id. Two times within one millisecond are one place.
type Place struct {
	Content UUID
	Millis  int64
	Event   int64
}

// Day returns the place's UTC day, counted from the Unix epoch.
func (p Place) Day() int64 { return floorDiv(p.Millis, 24*60*60*1000) }

// enrich joins an event with its content.
func enrich(e Engagement, c Content) Row {
	row := Row{Engagement: e}
	if e.DurationMS.Valid {
		row.Seconds = Some(float64(e.DurationMS.Value) / 1000.0)
	}
	if !c.Exists {
		return row
	}
	row.ContentType, row.Slug, row.Title, row.LengthSeconds = c.Type, c.Slug, c.Title, c.LengthSeconds
	if row.Seconds.Valid && c.LengthSeconds.Valid && c.LengthSeconds.Value != 0 {
		row.Pct = Some(row.Seconds.Value / float64(c.LengthSeconds.Value))
	}
	return row
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
