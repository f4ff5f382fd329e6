package engagement

import "penstock/sink/plan"

// Null is a column that may hold SQL NULL: Value counts only when Valid.
type Null[T any] struct {
	Value T
	Valid bool
}

// Some returns a Null that holds the value.
func Some[T any](value T) Null[T] { return Null[T]{Value: value, Valid: true} }

// Event is one row of the stream table. Times are microseconds since the
// Unix epoch, UTC.
type Event struct {
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
func (e *Event) Partition() UUID { return e.ContentID.Value }

// Place returns where the history keeps the event.
func (e *Event) Place() Place {
	return Place{Content: e.Partition(), Millis: plan.Millis(plan.TimeOf(e.Time)), Event: e.ID}
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
	Event

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

// Stored is a row and the version it was written at.
type Stored struct {
	Row
	Version int64
}

// The slots of the plan's rows: those of an event, of its content, and what is computed.
const (
	id = iota
	contentID
	userID
	kind
	at
	duration
	device
	payload
	_ // the content's id
	slug
	title
	contentType
	length
	_ // when it was published
	seconds
	pct
	slots
)

// Slots returns the row as the plan has it.
func (r *Row) Slots() plan.Row {
	row := make(plan.Row, slots)
	row[id], row[contentID], row[userID], row[kind] = plan.IntOf(r.ID), ofUUID(r.ContentID), ofUUID(r.UserID), of(r.Type, plan.TextOf)
	row[at], row[duration] = plan.TimeOf(r.Time), of(r.DurationMS, plan.IntOf)
	row[device], row[payload] = of(r.Device, plan.TextOf), of(r.Payload, plan.TextOf)
	row[seconds], row[pct] = of(r.Seconds, plan.FloatOf), of(r.Pct, plan.FloatOf)
	row[slug], row[title] = of(r.Slug, plan.TextOf), of(r.Title, plan.TextOf)
	row[contentType], row[length] = of(r.ContentType, plan.TextOf), of(r.LengthSeconds, plan.IntOf)
	return row
}

// FromSlots is the row that the plan has so.
func FromSlots(row plan.Row) Row {
	return Row{
		Event: Event{
			ID: row[id].Int(), ContentID: uuidOf(row[contentID]), UserID: uuidOf(row[userID]), Type: from(row[kind], plan.Value.Text),
			Time: row[at].Int(), DurationMS: from(row[duration], plan.Value.Int),
			Device: from(row[device], plan.Value.Text), Payload: from(row[payload], plan.Value.Text),
		},
		Seconds: from(row[seconds], plan.Value.Float), Pct: from(row[pct], plan.Value.Float),
		ContentType: from(row[contentType], plan.Value.Text), Slug: from(row[slug], plan.Value.Text), Title: from(row[title], plan.Value.Text),
		LengthSeconds: from(row[length], plan.Value.Int),
	}
}

// FromStored is [FromSlots] with the version.
func FromStored(s plan.Stored) Stored { return Stored{Row: FromSlots(s.Row), Version: s.Version} }

// Key is a row of which only the event's id counts, as the tables by event have it.
func Key(event int64) plan.Row {
	row := make(plan.Row, slots)
	row[id] = plan.IntOf(event)
	return row
}

// Slots returns the content as the plan has it.
func (c *Content) Slots() plan.LookupRow {
	l := plan.LookupRow{Key: JoinOf(c.ID), Exists: c.Exists, Version: c.Version}
	if c.Exists {
		l.Values = []plan.Value{
			l.Key, of(c.Slug, plan.TextOf), of(c.Title, plan.TextOf), of(c.Type, plan.TextOf), of(c.LengthSeconds, plan.IntOf), of(c.PublishTime, plan.TimeOf),
		}
	}
	return l
}

// JoinOf is the join value of a content: NULL for the zero UUID, which stands for none.
func JoinOf(content UUID) plan.Value {
	if content.IsZero() {
		return plan.Value{}
	}
	v, _ := plan.UUIDOf(content.String()) // every UUID prints as one
	return v
}

func of[T any](v Null[T], value func(T) plan.Value) plan.Value {
	if !v.Valid {
		return plan.Value{}
	}
	return value(v.Value)
}

func ofUUID(v Null[UUID]) plan.Value {
	return of(v, func(u UUID) plan.Value {
		value, _ := plan.UUIDOf(u.String()) // every UUID prints as one
		return value
	})
}

func from[T any](v plan.Value, get func(plan.Value) T) Null[T] {
	if v.IsNull() {
		return Null[T]{}
	}
	return Some(get(v))
}

func uuidOf(v plan.Value) Null[UUID] {
	if v.IsNull() {
		return Null[UUID]{}
	}
	u, _ := ParseUUID(v.Text()) // a value of the type is one
	return Some(u)
}
