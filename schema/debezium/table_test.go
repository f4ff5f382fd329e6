package debezium_test

import (
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

func TestTableWithoutKey(t *testing.T) {
	table := compile(t, func(s *debezium.Spec) { s.Key = nil })
	if s := table.KeySchema(); s != nil {
		t.Errorf("got a key of %s, want none", s.Name)
	}
	if key, err := table.Key(&connect.Arena{}, tuple("7", nil, "t", nil)); err != nil || key.Form != connect.Null {
		t.Errorf("got %v, %v, want null", key, err)
	}
}

// A column that the envelope leaves out stays in the key.
func TestKeyOfAColumnThatIsLeftOut(t *testing.T) {
	table := compile(t, func(s *debezium.Spec) { s.Columns, s.Topic = []int{2}, "other.name" })
	var a connect.Arena
	row := tuple("7", nil, "t", nil)
	key, err := table.Key(&a, row)
	if err != nil {
		t.Fatal(err)
	}
	value, err := table.Value(&a, &schema.Event{Source: commit()}, debezium.Image{Op: schema.OpCreate, After: row}, nowMicros)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(connect.AppendJSON(nil, table.KeySchema(), key)); got != `{"id":7}` {
		t.Errorf("key: got %s", got)
	}
	if got := string(connect.AppendJSON(nil, table.RowSchema(), value.List[1])); got != `{"paid":true}` {
		t.Errorf("after: got %s", got)
	}
	for _, s := range []*connect.Schema{table.KeySchema(), table.RowSchema(), table.ValueSchema()} {
		if !strings.HasPrefix(s.Name, "other.name.") {
			t.Errorf("got schema %s, want one of other.name", s.Name)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*debezium.Spec)
		want   string
	}{
		{"a column beyond the last", func(s *debezium.Spec) { s.Columns = []int{4} }, "table public.orders: column 4"},
		{"a key before the first", func(s *debezium.Spec) { s.Key = []int{-1} }, "table public.orders: column -1"},
		{"a column twice", func(s *debezium.Spec) { s.Columns = []int{1, 0, 1} }, "table public.orders, column note: it is asked for twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := debezium.Spec{Origin: origin(), Columns: []int{0}}
			c.change(&spec)
			if _, err := debezium.Compile(orders(), spec); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestRowsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		row  schema.Tuple
		key  bool // of the key, else of the row
		want string
	}{
		{"a row too short", tuple("7"), false, "table public.orders: a row has 1 columns, the table 4"},
		{"a value that is none of its type", tuple("seven", nil, "t", nil), false, "table public.orders, column id: "},
		{"a value in binary", tuple(schema.Binary, nil, "t", nil), false, "table public.orders, column id: its value is in binary"},
		{"a key of no row", nil, true, "table public.orders: the log holds no row"},
		{"a key of a row too short", tuple("7"), true, "a row has 1 columns"},
		{"a key that is none of its type", tuple("seven", nil, nil, nil), true, "table public.orders, column id: "},
		{"a key that the log does not hold", tuple(nil, "a", "t", nil), true, "column id: the log does not hold this part of the key: it is not of the replica identity DEFAULT"},
		{"a TOASTed key", tuple(schema.Unchanged, "a", "t", nil), true, "column id: the log does not hold this part of the key: it is TOASTed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := compile(t, nil)
			var a connect.Arena
			var err error
			if c.key {
				_, err = table.Key(&a, c.row)
			} else {
				_, err = table.Value(&a, &schema.Event{}, debezium.Image{After: c.row}, nowMicros)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTimesBefore1970(t *testing.T) {
	var a connect.Arena
	value := debezium.HeartbeatValue(&a, -1)
	if got := string(connect.AppendJSON(nil, debezium.HeartbeatValueSchema(), value)); got != `{"ts_ms":-1}` {
		t.Errorf("got %s", got)
	}
}

func TestRowAllocatesNothing(t *testing.T) {
	table := compile(t, func(s *debezium.Spec) { s.Transactions = true })
	wrapper := connect.NewWrapper(table.ValueSchema())
	before, after := tuple("7", "old", "f", "2025-08-25 16:13:39+00"), tuple("7", nil, "t", "2025-08-25 16:13:40.436907+00")
	e := schema.Event{Source: commit()}
	image := debezium.Image{Op: schema.OpUpdate, Before: before, After: after}
	var a connect.Arena
	var key, value []byte
	row := func() {
		a.Reset()
		k, err := table.Key(&a, after)
		if err != nil {
			t.Fatal(err)
		}
		v, err := table.Value(&a, &e, image, nowMicros)
		if err != nil {
			t.Fatal(err)
		}
		key = connect.AppendJSON(key[:0], table.KeySchema(), k)
		value = wrapper.Append(value[:0], v)
	}
	for range 3 { // the arena and the buffers grow to their size
		row()
	}
	if n := testing.AllocsPerRun(100, row); n != 0 {
		t.Errorf("got %g allocations, want 0", n)
	}
}

func BenchmarkValue(b *testing.B) {
	table := compile(b, nil)
	wrapper := connect.NewWrapper(table.ValueSchema())
	e := schema.Event{Source: commit()}
	image := debezium.Image{Op: schema.OpCreate, After: tuple("7", "note", "t", "2025-08-25 16:13:40.436907+00")}
	for _, c := range []struct {
		name   string
		append func([]byte, connect.Value) []byte
	}{
		{"payload", func(dst []byte, v connect.Value) []byte { return connect.AppendJSON(dst, table.ValueSchema(), v) }},
		{"with schema", wrapper.Append},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var a connect.Arena
			var dst []byte
			for b.Loop() {
				a.Reset()
				v, err := table.Value(&a, &e, image, nowMicros)
				if err != nil {
					b.Fatal(err)
				}
				dst = c.append(dst[:0], v)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
