package sink_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// order and customer are rows of the pipeline that is unlike the preset. nil is NULL.
type order struct {
	region   string
	number   int64
	customer *int64
	placed   int64
	quantity *int64
	price    float64
}

type customer struct {
	id       int64
	name     string
	discount *float64
	blocked  bool
	note     int // no column of the pipeline
}

// shop plays the source of that pipeline.
type shop struct {
	*source
	plan      *plan.Plan
	filter    filter
	orders    map[[2]any]order
	customers map[int64]customer
}

func newShop(partitions int, f filter) *shop {
	d := storetest.OrdersDeclaration("")
	if f == byOrder {
		d.Filter = "stream.quantity != 0"
	}
	p, problems := plan.Compile(d)
	if len(problems) > 0 {
		panic(problems[0]) // it is a constant
	}
	return &shop{source: newSource(partitions), plan: p, filter: f, orders: map[[2]any]order{}, customers: map[int64]customer{}}
}

// filter is what the pipeline's filter needs.
type filter string

const (
	byOrder filter = "the stream row"
	byBoth  filter = "both rows"
)

func (o *order) key() [2]any { return [2]any{o.region, o.number} }

func (o *order) image() map[string]any {
	return map[string]any{
		"region": o.region, "number": o.number, "customer": valueOf(o.customer), "placed_at": timeOf(o.placed), "quantity": valueOf(o.quantity),
		"price": o.price, "Paid": true, "ref": nil, `odd "name"`: nil, "left over": "x",
	}
}

func (o *order) joinKey() string {
	if o.customer == nil {
		return ""
	}
	return fmt.Sprint(*o.customer)
}

func (c *customer) image() map[string]any {
	return map[string]any{
		"id": c.id, "name": c.name, "discount": valueOf(c.discount), "since": timeOf(1_700_000_000_000_000), "blocked": c.blocked, "note": c.note,
	}
}

func valueOf[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

func (s *shop) emit(version int64, key, table, op string, before, after map[string]any) {
	s.sendOf("shop", version, key, table, op, before, after)
}

func (s *shop) put(o order) {
	s.version += 2
	old, found := s.orders[o.key()]
	switch {
	case !found:
		s.emit(s.version, o.joinKey(), "Orders", "c", nil, o.image())
	case old.joinKey() != o.joinKey():
		s.emit(s.version-1, old.joinKey(), "Orders", "d", old.image(), nil)
		s.emit(s.version, o.joinKey(), "Orders", "c", nil, o.image())
	default:
		s.emit(s.version, o.joinKey(), "Orders", "u", old.image(), o.image())
	}
	s.orders[o.key()] = o
}

func (s *shop) remove(key [2]any) {
	old, found := s.orders[key]
	if !found {
		return
	}
	s.version += 2
	s.emit(s.version, old.joinKey(), "Orders", "d", old.image(), nil)
	delete(s.orders, key)
}

func (s *shop) putCustomer(c customer) {
	s.version += 2
	op := "c"
	if _, found := s.customers[c.id]; found {
		op = "u"
	}
	s.emit(s.version, fmt.Sprint(c.id), "customers", op, nil, c.image())
	s.customers[c.id] = c
}

func (s *shop) removeCustomer(id int64) {
	if _, found := s.customers[id]; !found {
		return
	}
	s.version += 2
	s.emit(s.version, fmt.Sprint(id), "customers", "d", map[string]any{"id": id}, nil)
	delete(s.customers, id)
}

func (s *shop) truncate(table string) {
	s.version += 2
	for p := range s.partitions {
		s.appendOf("shop", int32(p), s.version, nil, table, "t", nil, nil)
	}
	if table == "customers" {
		clear(s.customers)
	} else {
		clear(s.orders)
	}
}

// query is the result as SQL would have it, by the columns that a case can change.
func (s *shop) query() map[string]string {
	rows := map[string]string{}
	for _, o := range s.orders {
		c, joined := customer{}, false
		if o.customer != nil {
			c, joined = s.customers[*o.customer]
		}
		if o.quantity == nil || *o.quantity == 0 || c.blocked && s.filter == byBoth { // NULL <> 0 is not true
			continue
		}
		gross, discount, name := float64(*o.quantity)*o.price, 0.0, ""
		if joined {
			name = strings.ToUpper(c.name)
			if c.discount != nil {
				discount = *c.discount
			}
		}
		rows[fmt.Sprint(o.region, "/", o.number)] = fmt.Sprint(plan.FormatTime(o.placed), " ", o.joinKey(), " ", plan.FormatFloat(gross), " ",
			plan.FormatFloat(gross*(1-discount)), " ", name, " ", joined)
	}
	return rows
}

// wantQuery checks that every place of the result has the rows of the query, and
// no others, and that the history has every order.
func (s *shop) wantQuery(t *testing.T, model *storetest.Model) {
	t.Helper()
	slot := func(row plan.Row, name string) string { return row[s.plan.Slot(name)].String() }
	for place := range s.plan.Places {
		got, rows := map[string]string{}, model.At(place)
		for _, stored := range rows {
			row := stored.Row
			got[slot(row, "stream.region")+"/"+slot(row, "stream.number")] = strings.Join([]string{
				slot(row, "stream.placed_at"), slot(row, "stream.customer"), slot(row, "gross"), slot(row, "total"), slot(row, "name"),
				fmt.Sprint(!row[s.plan.Slot("loyal")].IsNull()),
			}, " ")
		}
		if place == s.plan.History.Place {
			if len(rows) != len(s.orders) || len(got) != len(s.orders) {
				t.Errorf("the history has %d rows of %d orders, want %d", len(rows), len(got), len(s.orders))
			}
			continue
		}
		if diff := cmp.Diff(s.query(), got); diff != "" || len(rows) != len(got) {
			t.Errorf("place %d, %d rows (-query +store):\n%s", place, len(rows), diff)
		}
	}
}

func (s *shop) step(random *rand.Rand) { s.change(random, random.IntN(100)) }

// change makes the n-th of a hundred changes; the last four are truncations.
func (s *shop) change(random *rand.Rand, n int) {
	id := 1 + random.Int64N(4)
	o := order{region: []string{"north", "so:uth"}[random.IntN(2)], number: 1 + random.Int64N(5), price: float64(random.IntN(50)) / 4}
	switch {
	case n < 55:
		o.placed = 1_756_138_420_436_907 + int64(random.IntN(3))*20*60*60*1_000_000 + int64(random.IntN(2))
		if random.IntN(8) > 0 {
			o.customer = &id
		}
		if quantity := random.Int64N(4); random.IntN(8) > 0 { // a quarter is 0: filtered
			o.quantity = &quantity
		}
		s.put(o)
	case n < 67:
		s.remove(o.key())
	case n < 90:
		c := customer{id: id, name: fmt.Sprint("c", random.IntN(3)), blocked: random.IntN(3) == 0, note: random.IntN(9)}
		if discount := float64(random.IntN(3)) / 8; random.IntN(4) > 0 {
			c.discount = &discount
		}
		s.putCustomer(c)
	case n < 96:
		s.removeCustomer(id)
	case n < 98:
		s.truncate("Orders")
	default:
		s.truncate("customers")
	}
}

func TestAnUnlikePipelineEqualsItsQuery(t *testing.T) {
	one, two := int64(1), int64(2)
	base := order{region: "north", number: 1, customer: &one, placed: 1_756_138_420_436_907, quantity: &two, price: 2.5}
	with := func(change func(*order)) order { o := base; change(&o); return o }
	zero, half := int64(0), 0.5
	cases := []struct {
		name string
		play func(s *shop)
	}{
		{"an order before its customer", func(s *shop) { s.put(base); s.putCustomer(customer{id: 1, name: "a", discount: &half}) }},
		{"an order without a customer", func(s *shop) { s.put(with(func(o *order) { o.customer = nil })) }},
		{"a row stops passing and passes again", func(s *shop) {
			s.put(base)
			s.put(with(func(o *order) { o.quantity = &zero }))
			s.put(with(func(o *order) { o.quantity, o.placed = &two, o.placed+90_000_000_000 }))
			s.put(with(func(o *order) { o.quantity = nil }))
		}},
		{"a row that moves while it does not pass", func(s *shop) {
			s.put(with(func(o *order) { o.quantity = &zero }))
			s.put(with(func(o *order) { o.quantity, o.placed = &zero, o.placed+90_000_000_000 }))
			s.put(with(func(o *order) { o.placed += 90_000_000_000 }))
		}},
		{"the customer is blocked and freed", func(s *shop) {
			s.putCustomer(customer{id: 1})
			s.put(base)
			s.putCustomer(customer{id: 1, blocked: true})
			s.put(with(func(o *order) { o.number = 2 }))
			s.put(with(func(o *order) { o.placed += 90_000_000_000 }))
			s.putCustomer(customer{id: 1, name: "b"})
		}},
		{"an order goes to a blocked customer", func(s *shop) {
			s.putCustomer(customer{id: 1})
			s.putCustomer(customer{id: 2, blocked: true})
			s.put(base)
			s.put(with(func(o *order) { o.customer = &two }))
		}},
		{"a blocked customer is deleted", func(s *shop) {
			s.putCustomer(customer{id: 1, blocked: true})
			s.put(base)
			s.removeCustomer(1)
		}},
		{"orders are truncated, those that do not pass too", func(s *shop) {
			s.putCustomer(customer{id: 1})
			s.put(base)
			s.put(with(func(o *order) { o.number, o.quantity = 2, &zero }))
			s.truncate("Orders")
			s.put(with(func(o *order) { o.number = 3 }))
		}},
		{"customers are truncated, a blocked one too", func(s *shop) {
			s.putCustomer(customer{id: 1, blocked: true})
			s.put(base)
			s.truncate("customers")
		}},
	}
	for _, c := range cases {
		for _, f := range []filter{byOrder, byBoth} {
			t.Run(c.name+", filtered by "+string(f), func(t *testing.T) {
				for _, batch := range []int{1, 2, 1000} {
					s := newShop(3, f)
					model := storetest.NewModelOf(s.plan)
					c.play(s)
					for range 2 {
						s.applyAll(t, model, batch)
						s.wantQuery(t, model)
					}
				}
			})
		}
	}
}

func (s *shop) applyAll(t *testing.T, model *storetest.Model, batch int) {
	t.Helper()
	for p, records := range s.partitions {
		applyBatches(t, sink.NewPlanOwner(s.plan, int32(p), int32(len(s.partitions)), model, []sink.Store{model}), records, batch)
	}
}

func TestRandomHistoriesOfAnUnlikePipeline(t *testing.T) {
	random, rounds := randomly(t), 40
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		s := newShop(3, []filter{byOrder, byBoth}[round%2])
		for range 60 {
			s.step(random)
		}
		first, second := storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)
		stores := []sink.Store{newFlaky(first, random), newFlaky(second, random)}
		newOwner := func(p, count int32) *sink.Owner { return sink.NewPlanOwner(s.plan, p, count, first, stores) }
		race(t, random, s.source, newOwner)
		s.wantQuery(t, first)
		s.wantQuery(t, second)
		if t.Failed() {
			return
		}
	}
}
