package sink_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// A record of which an expression fails is that record's own error, wherever the
// expression needs the lookup row or not.
func TestAnExpressionThatFailsIsTheRecords(t *testing.T) {
	d := storetest.OrdersDeclaration("")
	for name, expression := range map[string]string{
		"of the stream row": "stream.quantity * 9223372036854775807", "of both rows": "stream.quantity * 9223372036854775807 * (lookup.blocked ? 1 : 1)",
	} {
		t.Run(name, func(t *testing.T) {
			d.Columns[10].Expr = expression
			p, problems := plan.Compile(d)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			s := newShop(1, byBoth)
			two := int64(2)
			s.put(order{region: "north", number: 1, quantity: &two})
			model := storetest.NewModelOf(p)
			err := sink.NewPlanOwner(p, 0, 1, model, []sink.Store{model}).Apply(t.Context(), []*kgo.Record{s.partitions[0][0]})
			if cause := sink.AsRecordError(err); cause == nil || cause.Reason != deadletter.Expression || !strings.Contains(err.Error(), "column gross: number out of range") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAnExpressionThatFailsIsADeadLetter with its own reason; its key waits, and goes on with
// what the operator gives it.
func TestAnExpressionThatFailsIsADeadLetter(t *testing.T) {
	d := storetest.OrdersDeclaration("")
	d.Columns[10].Expr = "stream.quantity * 4611686018427387904" // 2 are too many
	p, problems := plan.Compile(d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r, s, model := newRig(t), newShop(partitions, byBoth), storetest.NewModelOf(p)
	one, two := int64(1), int64(2)
	first := order{region: "north", number: 1, customer: &one, quantity: &two}
	s.put(first)
	s.put(order{region: "north", number: 2, customer: &one, quantity: &one})
	s.put(order{region: "north", number: 3, customer: &two, quantity: &one})
	r.produce(s.source, kgo.TryCommit)
	cfg := r.letters()
	cfg.Plan = p
	r.runUntilDrained(cfg, model)
	heads := r.book().Heads()
	if len(heads) != 1 || heads[0].Letter.Reason != deadletter.Expression || !strings.Contains(heads[0].Letter.Error, "column gross: number out of range") {
		t.Fatalf("got letters %+v", heads)
	}
	if rows := model.Result(); len(rows) != 1 || rows[0].Row[p.Slot("stream.number")] != plan.IntOf(3) {
		t.Errorf("got rows %v, want the one of another key", rows)
	}
	sound := newShop(1, byBoth)
	first.quantity = &one
	sound.put(first)
	r.decide(heads[0].ID, sink.Order{State: deadletter.Retried, Value: sound.partitions[0][0].Value})
	r.runUntilDrained(cfg, model)
	if rows := model.Result(); len(rows) != 3 || len(r.book().Heads()) != 0 {
		t.Errorf("got rows %v and letters %v, want three and none", rows, r.book().Heads())
	}
}

// TestAnEmptyJoinTextIsNotNull: both have the empty record key, and only one is joined.
func TestAnEmptyJoinTextIsNotNull(t *testing.T) {
	d := storetest.OrdersDeclaration("")
	d.Stream.Columns[2].Type, d.Lookup.Columns[0].Type = plan.Text, plan.Text
	p, problems := plan.Compile(d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, model := newShop(1, byBoth), storetest.NewModelOf(p)
	image := func(number int64, customer any) map[string]any {
		one := int64(1)
		o := order{region: "north", number: number, quantity: &one, price: 1}
		out := o.image()
		out["customer"] = customer
		return out
	}
	s.emit(10, "", "Orders", "c", nil, image(1, nil))
	s.emit(12, "", "Orders", "c", nil, image(2, ""))
	s.emit(14, "a", "Orders", "c", nil, image(3, "a"))
	c := customer{name: "nobody"}
	row := c.image()
	row["id"] = ""
	s.emit(16, "", "customers", "c", nil, row)
	for _, batch := range []int{1, 1000} {
		s.plan = p
		s.applyAll(t, model, batch)
		names := map[string]string{}
		for _, stored := range model.Result() {
			names[stored.Row[p.Slot("stream.number")].String()] = stored.Row[p.Slot("name")].String()
		}
		if diff := cmp.Diff(map[string]string{"1": "", "2": "NOBODY", "3": ""}, names); diff != "" {
			t.Errorf("names of customers (-want +got):\n%s", diff)
		}
	}
	s.emit(18, "b", "customers", "c", nil, row) // a key that is not the row's
	if err := sink.NewPlanOwner(p, 0, 1, model, []sink.Store{model}).Apply(t.Context(), s.partitions[0][4:]); sink.AsRecordError(err) == nil {
		t.Errorf("another key: got %v", err)
	}
}

// TestTheFilterMayChangeInPlace: a row that the filter of before let pass leaves with its next update, from the place
// where it was, also when an expression of now fails on it as it was.
func TestTheFilterMayChangeInPlace(t *testing.T) {
	declared := func(filter, gross string) *plan.Plan {
		d := storetest.OrdersDeclaration("")
		d.Filter, d.Columns[10].Expr = filter, gross
		p, problems := plan.Compile(d)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return p
	}
	before := declared("stream.quantity > 0", "stream.quantity")
	for name, c := range map[string]struct {
		now      *plan.Plan
		quantity int64
		left     int
	}{
		"it leaves":                        {declared("stream.quantity > 5", "stream.quantity"), 2, 0},
		"it leaves for the lookup row":     {declared("stream.quantity > 5 or lookup.blocked", "stream.quantity"), 2, 0},
		"it stays, in its new place":       {declared("stream.quantity > 1", "stream.quantity"), 2, 1},
		"it stays, and failed as it was":   {declared("stream.quantity > 0", "9223372036854775807 - 9 + 5 * stream.quantity"), 1, 1},
		"the filter fails on it as it was": {declared("9223372036854775807 - 9 + 5 * stream.quantity > 0", "1"), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, model, three := newShop(1, byOrder), storetest.NewModelOf(before), int64(3)
			o := order{region: "north", number: 1, quantity: &three}
			apply := func(p *plan.Plan) {
				t.Helper()
				records := s.partitions[0][len(s.partitions[0])-1:]
				if err := sink.NewPlanOwner(p, 0, 1, model, []sink.Store{model}).Apply(t.Context(), records); err != nil {
					t.Fatal(err)
				}
			}
			s.put(o)
			apply(before)
			o.quantity, o.placed = &c.quantity, o.placed+90_000_000_000
			s.put(o)
			apply(c.now)
			for place := range before.Places {
				if got := len(model.At(place)); place != before.History.Place && got != c.left {
					t.Errorf("place %d has %d rows, want %d", place, got, c.left)
				}
			}
		})
	}
}
