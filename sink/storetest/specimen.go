package storetest

import (
	"fmt"
	"strconv"

	"penstock/schema"
	"penstock/sink/engagement"
	"penstock/sink/plan"
)

// Specimen is a plan with rows of it, by which a store is exercised.
type Specimen struct {
	Name string
	Plan *plan.Plan

	// Full returns the row of a number, with a value in every slot of the result.
	// Fifty numbers apart have one join value.
	Full func(n int64) plan.Row
	// Sparse returns a row at the places of Full, with NULL wherever a row can have it.
	Sparse func(n int64) plan.Row
	// Alone returns a row without a join value.
	Alone func(n int64) plan.Row
	// Counted returns a row with another number in it, at the same places.
	Counted func(row plan.Row, n int64) plan.Row
	// Moved returns a row at another place of its view or its history.
	Moved func(row plan.Row) plan.Row
	// Lookup returns a lookup row with a value in every column.
	Lookup func(n byte, version int64) plan.LookupRow
}

// Join is the join value of a lookup row.
func (s *Specimen) Join(n byte) plan.Value { return s.Lookup(n, 1).Key }

// Bare returns a lookup row that has its key only.
func (s *Specimen) Bare(n byte, version int64) plan.LookupRow {
	row := s.Lookup(n, version)
	first, _ := s.Plan.LookupSlots()
	for i := range row.Values {
		if first+i != s.Plan.LookupKey() {
			row.Values[i] = plan.Value{}
		}
	}
	return row
}

// Specimens are the preset and a pipeline unlike it.
func Specimens(prefix string) []Specimen { return []Specimen{Engagement(prefix), Orders(prefix)} }

// ContentID is a content id made from a number.
func ContentID(n byte) engagement.UUID { return engagement.UUID{0: 0x11, 15: n} }

const hour = 60 * 60 * 1_000_000

// Engagement is the preset.
func Engagement(prefix string) Specimen {
	p := plan.Engagement(schema.TableName{Schema: "public", Name: "engagement_events"}, schema.TableName{Schema: "public", Name: "content"}, prefix)
	full := func(id int64) engagement.Row {
		return engagement.Row{
			Event: engagement.Event{
				ID: id, ContentID: engagement.Some(ContentID(byte(id % 50))), UserID: engagement.Some(engagement.UUID{0: 0xaa, 15: 1}),
				Type: engagement.Some("play"), Time: 1_756_138_420_436_907 + id*1_000_003, DurationMS: engagement.Some[int64](30000),
				Device: engagement.Some("web-safari\x01 \"ü\""), Payload: engagement.Some(fmt.Sprintf(`{"n": %d}`, id)),
			},
			Seconds: engagement.Some(30.0), Pct: engagement.Some(30.0 / 1800), ContentType: engagement.Some("podcast"),
			Slug: engagement.Some("daily-news-ep1"), Title: engagement.Some("Daily News – Episode 1"), LengthSeconds: engagement.Some[int64](1800),
		}
	}
	changed := func(row plan.Row, change func(*engagement.Row)) plan.Row {
		typed := engagement.FromSlots(row)
		change(&typed)
		return typed.Slots()
	}
	sparse := func(id int64) engagement.Row {
		whole := full(id)
		return engagement.Row{Event: engagement.Event{ID: id, ContentID: whole.ContentID, Time: whole.Time}}
	}
	return Specimen{
		Name: "engagement", Plan: p,
		Full:   func(n int64) plan.Row { row := full(n); return row.Slots() },
		Sparse: func(n int64) plan.Row { row := sparse(n); return row.Slots() },
		Alone: func(n int64) plan.Row {
			row := sparse(n)
			row.ContentID, row.Time = engagement.Null[engagement.UUID]{}, -1 // before the epoch: another day
			return row.Slots()
		},
		Counted: func(row plan.Row, n int64) plan.Row {
			return changed(row, func(r *engagement.Row) { r.DurationMS = engagement.Some(n) })
		},
		Moved: func(row plan.Row) plan.Row { return changed(row, func(r *engagement.Row) { r.Time += 25 * hour }) },
		Lookup: func(n byte, version int64) plan.LookupRow {
			c := engagement.Content{
				ID: ContentID(n), Slug: engagement.Some("slug"), Title: engagement.Some("title"), Type: engagement.Some("video"),
				LengthSeconds: engagement.Some[int64](5400), PublishTime: engagement.Some[int64](1_756_000_000_000_001), Exists: true, Version: version,
			}
			return c.Slots()
		},
	}
}

// OrdersDeclaration is a pipeline that has nothing of the preset: a key of two
// columns, a bigint to join by, a filter on both sides, a key of its table that is
// computed and in falling order.
func OrdersDeclaration(prefix string) *plan.Declaration {
	return &plan.Declaration{
		Name: "orders",
		Stream: plan.Side{Table: schema.TableName{Schema: "shop", Name: "Orders"}, Join: "customer", Columns: []plan.Column{
			{Name: "region", Type: plan.Text, NotNull: true}, {Name: "number", Type: plan.Int, NotNull: true}, {Name: "customer", Type: plan.Int},
			{Name: "placed_at", Type: plan.Time, NotNull: true}, {Name: "quantity", Type: plan.Int}, {Name: "price", Type: plan.Float},
			{Name: "Paid", Type: plan.Bool}, {Name: "ref", Type: plan.UUID},
			{Name: `odd "name"`, Type: plan.Text},
		}},
		Key: []string{"region", "number"},
		Lookup: plan.Side{Table: schema.TableName{Schema: "shop", Name: "customers"}, Join: "id", Columns: []plan.Column{
			{Name: "id", Type: plan.Int, NotNull: true}, {Name: "name", Type: plan.Text}, {Name: "discount", Type: plan.Float}, {Name: "since", Type: plan.Time},
			{Name: "blocked", Type: plan.Bool},
		}},
		Filter: "stream.quantity != 0 && !(lookup.blocked ?? false)",
		Columns: []plan.Output{
			{Name: "number", Expr: "stream.number"}, {Name: "region", Expr: "stream.region"}, {Name: "day", Expr: "day(stream.placed_at)"},
			{Name: "placed_at", Expr: "stream.placed_at"}, {Name: "placed_us", Expr: "micros(stream.placed_at)"},
			{Name: "customer", Expr: "stream.customer"}, {Name: "quantity", Expr: "stream.quantity"}, {Name: "paid", Expr: "stream.Paid"},
			{Name: "ref", Expr: "stream.ref"}, {Name: "odd", Expr: `stream["odd \"name\""]`}, {Name: "gross", Expr: "stream.quantity * stream.price"},
			{Name: "total", Expr: "stream.quantity * stream.price * (1 - coalesce(lookup.discount, 0))"},
			{Name: "name", Expr: "upper(lookup.name)"}, {Name: "loyal", Expr: "lookup.since < stream.placed_at"},
		},
		Cassandra: plan.Target{
			Table: "orders_by_region", Partition: []string{"region", "day"}, Clustering: []plan.Order{{Column: "placed_at", Descending: true}, {Column: "number"}},
		},
		Redis: plan.Hash{Key: prefix + "order:{region}:{number}"},
	}
}

// Orders is the pipeline of [OrdersDeclaration].
func Orders(prefix string) Specimen {
	p, problems := plan.Compile(OrdersDeclaration(prefix))
	if len(problems) > 0 {
		panic(problems[0]) // it is a constant
	}
	ref, _ := plan.UUIDOf("11111111-aaaa-1111-1111-111111111111")
	row := func(n int64) plan.Row {
		row := p.NewRow()
		at := 1_756_138_420_436_907 + n*1_000_003
		set(p, row, "stream.region", plan.TextOf("r:"+strconv.FormatInt(n%3, 10)+"%"))
		set(p, row, "stream.number", plan.IntOf(n))
		set(p, row, "stream.customer", plan.IntOf(n%50))
		set(p, row, "stream.placed_at", plan.TimeOf(at))
		return row
	}
	full := func(n int64) plan.Row {
		row := row(n)
		set(p, row, "stream.quantity", plan.IntOf(3))
		set(p, row, "stream.price", plan.FloatOf(19.9))
		set(p, row, "stream.Paid", plan.BoolOf(true))
		set(p, row, "stream.ref", ref)
		set(p, row, `stream.odd "name"`, plan.TextOf("odd"))
		return row
	}
	lookup := func(n byte, version int64) plan.LookupRow {
		return plan.LookupRow{Key: plan.IntOf(int64(n)), Exists: true, Version: version, Values: []plan.Value{
			plan.IntOf(int64(n)), plan.TextOf("Ünal"), plan.FloatOf(0.1), plan.TimeOf(1_700_000_000_000_001), plan.BoolOf(false),
		}}
	}
	changed := func(row plan.Row, name string, v plan.Value) plan.Row {
		out := p.NewRow()
		copy(out, row)
		set(p, out, name, v)
		return enriched(p, out, plan.LookupRow{})
	}
	return Specimen{
		Name: "orders", Plan: p,
		Full:   func(n int64) plan.Row { return enriched(p, full(n), lookup(byte(n%50), 1)) },
		Sparse: func(n int64) plan.Row { return enriched(p, row(n), plan.LookupRow{}) },
		Alone: func(n int64) plan.Row {
			row := row(n)
			set(p, row, "stream.customer", plan.Value{})
			set(p, row, "stream.placed_at", plan.TimeOf(-1))
			return enriched(p, row, plan.LookupRow{})
		},
		Counted: func(row plan.Row, n int64) plan.Row { return changed(row, "stream.quantity", plan.IntOf(n)) },
		Moved: func(row plan.Row) plan.Row {
			return changed(row, "stream.placed_at", plan.TimeOf(row[p.Slot("stream.placed_at")].Int()+25*hour))
		},
		Lookup: lookup,
	}
}

func set(p *plan.Plan, row plan.Row, name string, v plan.Value) { row[p.Slot(name)] = v }

func enriched(p *plan.Plan, row plan.Row, lookup plan.LookupRow) plan.Row {
	if err := p.Derive(row); err != nil {
		panic(err) // the rows are constants
	}
	if err := p.Enrich(row, &lookup); err != nil {
		panic(err)
	}
	return row
}
