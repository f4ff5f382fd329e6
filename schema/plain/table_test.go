package plain_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock/schema"
	"penstock/schema/plain"
)

func value(text string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(text)} }

// table compiles all columns in their order.
func table(tb testing.TB, columns []schema.Column, key []int) *plain.Table {
	tb.Helper()
	rel := &schema.Relation{Table: schema.TableName{Schema: "public", Name: "t"}, Columns: columns}
	all := make([]int, len(columns))
	for i := range all {
		all[i] = i
	}
	t, err := plain.Compile(rel, all, key)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func row(tb testing.TB, t *plain.Table, tuple schema.Tuple) string {
	tb.Helper()
	got, err := t.AppendRow(nil, tuple)
	if err != nil {
		tb.Fatal(err)
	}
	if !json.Valid(got) {
		tb.Fatalf("not JSON: %s", got)
	}
	return string(got)
}

func users(tb testing.TB) *plain.Table {
	tb.Helper()
	return table(tb, []schema.Column{
		{Name: "id", TypeOID: 20}, {Name: `a "quoted" 🐘`, TypeOID: 25}, {Name: "big", TypeOID: 3802}, {Name: "tenant", TypeOID: 23},
	}, []int{3, 0})
}

func TestRow(t *testing.T) {
	users := users(t)
	tuple := schema.Tuple{value("9223372036854775807"), value("x\n"), {Kind: schema.Unchanged}, {}}
	if got, want := row(t, users, tuple), `{"id":9223372036854775807,"a \"quoted\" 🐘":"x\n","tenant":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := users.Unchanged([]string{"before"}, tuple); !slices.Equal(got, []string{"before", "big"}) {
		t.Errorf("got the unchanged columns %q", got)
	}
	tuple[0] = schema.Value{Kind: schema.Unchanged}
	if got, want := row(t, users, tuple), `{"a \"quoted\" 🐘":"x\n","tenant":null}`; got != want {
		t.Errorf("got %s without the first column, want %s", got, want)
	}
}

func TestKey(t *testing.T) {
	users := users(t)
	tuple := schema.Tuple{value("1"), {}, {}, value("-7")}
	got, err := users.AppendKey([]byte("x"), tuple)
	if want := `x{"tenant":-7,"id":1}`; string(got) != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	tuple[0] = schema.Value{Kind: schema.Unchanged}
	if got, err := users.AppendKey([]byte("x"), tuple); err == nil || string(got) != "x" || !strings.Contains(err.Error(), "column id") {
		t.Errorf("got %s, %v, want x and an error about id", got, err)
	}
	keyless := table(t, []schema.Column{{Name: "a", TypeOID: 25}}, nil)
	if got, err := keyless.AppendKey([]byte("x"), schema.Tuple{value("1")}); string(got) != "x" || err != nil {
		t.Errorf("got %s, %v of a table without a key, want x", got, err)
	}
}

func TestColumnsAreChosen(t *testing.T) {
	rel := &schema.Relation{Columns: []schema.Column{{Name: "a", TypeOID: 23}, {Name: "b", TypeOID: 23}, {Name: "c", TypeOID: 23}}}
	chosen, err := plain.Compile(rel, []int{2, 0}, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	tuple := schema.Tuple{value("1"), value("2"), value("3")}
	if got, want := row(t, chosen, tuple), `{"c":3,"a":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	tuple[1] = schema.Value{Kind: schema.Unchanged}
	if got := chosen.Unchanged(nil, tuple); len(got) != 0 {
		t.Errorf("got %q, which are not of the row", got)
	}
	for _, c := range []struct{ columns, key []int }{{[]int{3}, nil}, {[]int{-1}, nil}, {nil, []int{3}}, {[]int{0, 0}, nil}} {
		if _, err := plain.Compile(rel, c.columns, c.key); err == nil {
			t.Errorf("columns %v, key %v: no error", c.columns, c.key)
		}
	}
}

func TestErrorsNameTableColumnAndReason(t *testing.T) {
	one := table(t, []schema.Column{{Name: "amount", TypeOID: 1700}, {Name: "n", TypeOID: 23}}, nil)
	for _, c := range []struct {
		name  string
		tuple schema.Tuple
		want  string
	}{
		{"a broken text", schema.Tuple{value("12a"), value("1")}, "table public.t, column amount: numeric text, byte 0: not a number"},
		{"the second column", schema.Tuple{value("12"), value("2147483648")}, "table public.t, column n: int4 text, byte 0: not an integer of this size"},
		{"binary form", schema.Tuple{value("12"), {Kind: schema.Binary, Data: []byte{0}}}, "table public.t, column n: the value is in binary form, not text"},
		{"a short row", schema.Tuple{value("12")}, "table public.t: a row of 1 columns, the relation has 2"},
		{"no row", nil, "table public.t: a row of 0 columns, the relation has 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := one.AppendRow([]byte("x"), c.tuple)
			if err == nil || err.Error() != c.want || string(got) != "x" {
				t.Errorf("got %s, %v, want x and %s", got, err, c.want)
			}
		})
	}
}

// A row of scalars costs no allocation when the buffer is reused.
func TestScalarsDoNotAllocate(t *testing.T) {
	columns := []schema.Column{}
	tuple := schema.Tuple{}
	for _, c := range scalarCases() {
		columns = append(columns, schema.Column{Name: c.name, TypeOID: c.oid})
		tuple = append(tuple, value(c.text))
	}
	columns = append(columns, schema.Column{Name: "none", TypeOID: 23}, schema.Column{Name: "toasted", TypeOID: 25})
	tuple = append(tuple, schema.Value{}, schema.Value{Kind: schema.Unchanged})
	all := table(t, columns, []int{0, 1})
	dst := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(200, func() {
		var err error
		if dst, err = all.AppendKey(dst[:0], tuple); err != nil {
			t.Fatal(err)
		}
		if dst, err = all.AppendRow(dst[:0], tuple); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations for a row of %d columns, want 0", n, len(columns))
	}
}

// FuzzRow: any text gives an error, or JSON that is UTF-8, whatever the type.
func FuzzRow(f *testing.F) {
	oids := []uint32{}
	for _, c := range scalarCases() {
		oids = append(oids, c.oid)
		if len(c.text) < 100 { // the fuzzer is slow to shorten long ones
			f.Add([]byte(c.text))
		}
	}
	for _, c := range nestedCases() {
		f.Add([]byte(c.text))
	}
	slices.Sort(oids)
	columns := []schema.Column{}
	for _, oid := range slices.Compact(oids) {
		if oid != oidJSONB { // trusted
			columns = append(columns, schema.Column{Name: "scalar", TypeOID: oid})
		}
	}
	for _, c := range nestedCases() {
		columns = append(columns, schema.Column{Name: c.name, TypeOID: c.t.OID, Type: c.t})
	}
	rel := &schema.Relation{Columns: columns}
	tables := make([]*plain.Table, len(columns))
	for i := range columns {
		var err error
		if tables[i], err = plain.Compile(rel, []int{i}, nil); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tuple := make(schema.Tuple, len(columns))
		for i := range tuple {
			tuple[i] = schema.Value{Kind: schema.Text, Data: text}
		}
		for i, one := range tables {
			got, err := one.AppendRow(nil, tuple)
			if err == nil && (!json.Valid(got) || !utf8.Valid(got)) {
				t.Errorf("%s of %q: %s", columns[i].Name, text, got)
			}
			if err != nil && len(got) > 0 {
				t.Errorf("%s of %q: got %s with %v", columns[i].Name, text, got, err)
			}
		}
	})
}

func BenchmarkRow(b *testing.B) {
	columns := []schema.Column{{Name: "id", TypeOID: 20}, {Name: "content_id", TypeOID: 2950}, {Name: "event_type", TypeOID: 25}, {Name: "event_ts", TypeOID: 1184}, {Name: "amount", TypeOID: 1700}, {Name: "raw", TypeOID: 3802}}
	tuple := schema.Tuple{value("42"), value("7f2c9a4e-3d1b-4c57-9e57-0a1b2c3d4e5f"), value("play"), value("2025-08-25 16:13:40.436907+00"), value("1234.50"), value(`{"device": "ios"}`)}
	events, dst := table(b, columns, nil), []byte{}
	for b.Loop() {
		var err error
		if dst, err = events.AppendRow(dst[:0], tuple); err != nil {
			b.Fatal(err)
		}
	}
	if !json.Valid(dst) {
		b.Fatalf("not JSON: %s", dst)
	}
}
