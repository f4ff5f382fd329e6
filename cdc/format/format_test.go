package format_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

func TestNamesAreParsed(t *testing.T) {
	for i, name := range format.Names() {
		if k, err := format.Parse(name); err != nil || k != format.Kind(i) || k.String() != name {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	if _, err := format.Parse("csv"); err == nil || !strings.Contains(err.Error(), "debezium, text, json, avro, protobuf") {
		t.Errorf("got %v, want an error with the names", err)
	}
}

// said is what a test reads out of a JSON value.
type said struct {
	Before, After json.RawMessage
	Op            string
	Source        struct {
		Table string
		LSN   uint64
		TxID  uint32
	}
	Transaction *struct {
		ID         string
		Total      int `json:"total_order"`
		Collection int `json:"data_collection_order"`
	}
	Millis int64 `json:"ts_ms"`
}

func parse(t *testing.T, value []byte) said {
	t.Helper()
	var s said
	if err := json.Unmarshal(value, &s); err != nil {
		t.Fatalf("%v\n%s", err, value)
	}
	return s
}

// TestEnvelopes: the same change in each JSON form of the envelope.
func TestEnvelopes(t *testing.T) {
	const full = `{"note":%,"id":7,"paid":true,"ratio":0.5,"at":"2025-08-25T16:13:40.436907Z"}`
	row := func(note string) string { return strings.Replace(full, "%", note, 1) }
	for _, f := range []struct {
		kind    format.Kind
		deleted string // Debezium says a zero of what the log does not hold and takes no NULL
	}{
		{format.Debezium, `{"note":null,"id":7,"paid":false,"ratio":0.0,"at":"1970-01-01T00:00:00Z"}`},
		{format.Text, `{"note":null,"id":7,"paid":null,"ratio":null,"at":null}`},
	} {
		e := compile(t, format.Format{Kind: f.kind}, table(nil))
		want := map[string][2]string{
			"create": {"null", row(`"seven"`)}, "update": {"null", row(`"a \"quote\"\n"`)},
			"delete": {f.deleted, "null"}, "truncate": {"null", "null"},
		}
		for _, c := range changes() {
			t.Run(f.kind.String()+" "+c.name, func(t *testing.T) {
				got := parse(t, value(t, e, c))
				if diff := cmp.Diff(want[c.name], [2]string{string(got.Before), string(got.After)}); diff != "" {
					t.Errorf("before and after (-want +got):\n%s", diff)
				}
				if got.Op != string(rune(c.image.Op)) || got.Source.Table != "orders" || got.Source.LSN != 26000000 ||
					got.Source.TxID != 771 || got.Millis != nowMicros/1000 || got.Transaction != nil {
					t.Errorf("got %+v", got)
				}
				if c.row != nil && key(t, e, c.row) != `{"id":7}` {
					t.Errorf("got key %s", key(t, e, c.row))
				}
			})
		}
	}
}

// TestSchemasWrapWhatTheyDescribe: schema and payload, the payload being what
// there is without them.
func TestSchemasWrapWhatTheyDescribe(t *testing.T) {
	bare := compile(t, format.Format{}, table(nil))
	wrapped := compile(t, format.Format{Schemas: true}, table(nil))
	check := func(t *testing.T, got, payload []byte, name string) {
		t.Helper()
		var record struct {
			Schema struct {
				Type, Name string
				Fields     []struct{ Field string }
			}
			Payload json.RawMessage
		}
		if err := json.Unmarshal(got, &record); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		if string(record.Payload) != string(payload) {
			t.Errorf("payload %s, want %s", record.Payload, payload)
		}
		if record.Schema.Type != "struct" || record.Schema.Name != name || len(record.Schema.Fields) == 0 {
			t.Errorf("schema %+v, want a struct %s", record.Schema, name)
		}
	}
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			check(t, value(t, wrapped, c), value(t, bare, c), "srv.public.orders.Envelope")
			if c.row != nil {
				check(t, []byte(key(t, wrapped, c.row)), []byte(key(t, bare, c.row)), "srv.public.orders.Key")
			}
		})
	}
}

func TestTransactionBlock(t *testing.T) {
	e := compile(t, format.Format{}, table(func(made *format.Table) { made.Transactions = true }))
	block := parse(t, value(t, e, changes()[0])).Transaction
	if block == nil || block.ID != "771:26000000" || block.Total != 3 || block.Collection != 2 {
		t.Errorf("got %+v, want the third of the commit and the second of its table", block)
	}
}

// TestRowAlone: deletes and truncates have no value, so that the record is a tombstone.
func TestRowAlone(t *testing.T) {
	e := compile(t, format.Format{Kind: format.JSON}, table(func(made *format.Table) { made.Columns = []int{1, 0} }))
	want := map[string]string{"create": `{"id":7,"note":"seven"}`, "update": `{"id":7,"note":"a \"quote\"\n"}`}
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			got := value(t, e, c)
			if string(got) != want[c.name] || (want[c.name] == "" && got != nil) {
				t.Errorf("got %q, want %q", got, want[c.name])
			}
			if c.row != nil && key(t, e, c.row) != `{"id":7}` {
				t.Errorf("got key %s", key(t, e, c.row))
			}
		})
	}
}

// TestColumnsOutsideTheValue: a key's column that is excluded is in the key only.
func TestColumnsOutsideTheValue(t *testing.T) {
	for _, k := range []format.Kind{format.Debezium, format.Text, format.JSON} {
		t.Run(k.String(), func(t *testing.T) {
			e := compile(t, format.Format{Kind: k}, table(func(made *format.Table) { made.Columns = []int{0} }))
			c := change{image: debezium.Image{Op: schema.OpUpdate, Before: order("7", "six"), After: order("7", "seven")}}
			got := value(t, e, c)
			if k != format.JSON {
				s := parse(t, got)
				if string(s.Before) != `{"note":"six"}` {
					t.Errorf("got before %s", s.Before)
				}
				got = s.After
			}
			if string(got) != `{"note":"seven"}` {
				t.Errorf("got after %s", got)
			}
			if key := key(t, e, order("7", "")); key != `{"id":7}` {
				t.Errorf("got key %s", key)
			}
		})
	}
}

// TestKeyText is the key as headers carry it: plain JSON in every format.
func TestKeyText(t *testing.T) {
	for _, f := range everyFormat(t) {
		t.Run(f.name, func(t *testing.T) {
			e := compile(t, f.Format, table(func(made *format.Table) { made.Key = []int{1, 0} }))
			got, err := e.AppendKeyText([]byte("kept "), order("7", "é"))
			if err != nil || string(got) != `kept {"id":7,"note":"é"}` {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestTableWithoutKey(t *testing.T) {
	for _, f := range everyFormat(t) {
		t.Run(f.name, func(t *testing.T) {
			e := compile(t, f.Format, table(func(made *format.Table) { made.Key = nil }))
			for _, render := range []func([]byte, schema.Tuple) ([]byte, error){e.AppendKey, e.AppendKeyText} {
				if got, err := render(nil, order("7", "")); got != nil || err != nil {
					t.Errorf("got %q, %v, want no key", got, err)
				}
			}
			if len(value(t, e, changes()[0])) == 0 {
				t.Error("got no value")
			}
		})
	}
}

// TestErrorsNameThePlace: table and column, of keys and of values.
func TestErrorsNameThePlace(t *testing.T) {
	broken := order("seven", "")
	unlogged := order("7", "")
	unlogged[1] = schema.Value{Kind: schema.Unchanged}
	for _, f := range everyFormat(t) {
		if f.Kind == format.Text {
			continue // takes every text
		}
		t.Run(f.name, func(t *testing.T) {
			e := compile(t, f.Format, table(nil))
			c := change{image: debezium.Image{Op: schema.OpCreate, After: broken}}
			_, inValue := e.AppendValue(nil, c.event(), c.image, nowMicros)
			_, inKey := e.AppendKey(nil, broken)
			_, inText := e.AppendKeyText(nil, broken)
			_, notLogged := e.AppendKey(nil, unlogged)
			for _, err := range []error{inValue, inKey, inText, notLogged} {
				if err == nil || !strings.Contains(err.Error(), "table public.orders, column id: ") {
					t.Errorf("got %v, want table, column and reason", err)
				}
			}
		})
	}
}

func TestCompileRefusesColumnsThatAreNotThere(t *testing.T) {
	for _, f := range everyFormat(t) {
		if f.Kind == format.Text {
			continue // looks at each row
		}
		t.Run(f.name, func(t *testing.T) {
			_, err := f.Compile(t.Context(), table(func(made *format.Table) { made.Columns = []int{5} }))
			if err == nil || !strings.Contains(err.Error(), "public.orders") {
				t.Errorf("got %v, want an error with the table", err)
			}
		})
	}
}

// TestRowsAllocateNothing once the encoder has seen one and the buffer has grown.
func TestRowsAllocateNothing(t *testing.T) {
	for _, f := range everyFormat(t) {
		t.Run(f.name, func(t *testing.T) {
			e := compile(t, f.Format, table(nil))
			c := change{image: debezium.Image{Op: schema.OpUpdate, Before: order("7", "six"), After: order("7", "seven")}}
			event := c.event()
			var buffer []byte
			var err error
			render := func() {
				if buffer, err = e.AppendKey(buffer[:0], c.image.After); err == nil {
					buffer, err = e.AppendValue(buffer, event, c.image, nowMicros)
				}
			}
			if n := testing.AllocsPerRun(100, render); n != 0 || err != nil {
				t.Errorf("got %g allocations and error %v, want none", n, err)
			}
		})
	}
}
