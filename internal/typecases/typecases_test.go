package typecases_test

import (
	"slices"
	"strings"
	"testing"

	"penstock/internal/typecases"
)

func load(t *testing.T) *typecases.Table {
	t.Helper()
	table, err := typecases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestListIsWhole(t *testing.T) {
	table := load(t)
	if n := len(table.Columns()); n < 150 {
		t.Errorf("got %d columns, want at least 150", n)
	}
	names := map[string]bool{}
	for _, c := range table.Columns() {
		if names[c.Name] {
			t.Errorf("column %s is there twice", c.Name)
		}
		names[c.Name] = true
		values := map[string]bool{}
		for _, v := range c.Values {
			if values[v.Name] {
				t.Errorf("column %s has the value %s twice", c.Name, v.Name)
			}
			values[v.Name] = true
		}
	}
	for _, must := range []string{"numeric_array", "box_array", "domain_nested", "composite_nested", "hstore", "vector", "tid"} {
		if !names[must] {
			t.Errorf("no column %s", must)
		}
	}
}

func TestRowsShowEveryValueOnce(t *testing.T) {
	table := load(t)
	want, got := 0, 0
	for _, c := range table.Columns() {
		want += len(c.Values)
	}
	for i := range table.Rows() {
		for n, v := range table.Values(i) {
			if v == nil {
				continue
			}
			got++
			if c := table.Columns()[n]; !slices.Contains(c.Values, *v) {
				t.Errorf("row %d: column %s has the value %s of another", i, c.Name, v.Name)
			}
		}
	}
	if got != want {
		t.Errorf("the rows show %d values, want %d", got, want)
	}
	if statement := table.InsertSQL("t", table.Rows()); !strings.HasPrefix(statement, "INSERT INTO t (id) VALUES (") {
		t.Errorf("the row after the last: got %.80s, want nothing but the key", statement)
	}
}

func TestServerWithout(t *testing.T) {
	table, err := typecases.Parse("extension hstore\nsetup CREATE TYPE x\ncolumn h hstore\n  a a=>1\n\nsince 18\ncolumn n newtype\n  a 1\n\ncolumn i integer\n  a 1\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		major      int
		extensions []string
		absent     []string
		create     []string
	}{
		{"nothing", 17, nil, []string{"h", "h_array", "n", "n_array"}, nil},
		{"an extension", 18, nil, []string{"h", "h_array"}, nil},
		{"a version", 17, []string{"hstore"}, []string{"n", "n_array"}, []string{"CREATE EXTENSION hstore", "CREATE TYPE x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			on, absent := table.On(c.major, c.extensions)
			if !slices.Equal(absent, c.absent) {
				t.Errorf("got absent %q, want %q", absent, c.absent)
			}
			create := on.CreateSQL("t")
			if !slices.Equal(create[:len(create)-1], c.create) {
				t.Errorf("got %q before the table, want %q", create[:len(create)-1], c.create)
			}
			if last := create[len(create)-1]; !strings.Contains(last, `"i_array" integer[]`) {
				t.Errorf("got table %s, want a column i_array", last)
			}
		})
	}
}

func TestComparableLeavesOutWhatStopsDebezium(t *testing.T) {
	table, err := typecases.Parse("stops it ends\ncolumn a x\n  one 1\n\ncolumn b y\n  one 1\n  !two 2\n")
	if err != nil {
		t.Fatal(err)
	}
	columns := table.Comparable().Columns()
	if len(columns) != 2 || columns[0].Name != "b" || len(columns[0].Values) != 1 || columns[1].Name != "b_array" {
		t.Errorf("got %+v, want b with one value, and b_array", columns)
	}
	if n := len(table.Columns()[2].Values); n != 2 {
		t.Errorf("the whole table's b has %d values, want 2", n)
	}
}

func TestArraysOf(t *testing.T) {
	table, err := typecases.Parse("column b box\n  one (1,1)\n  two \"a\\\"b\\\\c\"\n  three =now()\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range table.Columns()[1].Values {
		got = append(got, v.Name+" "+v.Text)
	}
	want := []string{
		`all {"(1,1)";"a\"b\\c";NULL}`, `empty {}`, `single {"(1,1)"}`, `null {NULL}`, `matrix {{"(1,1)";NULL};{"a\"b\\c";"(1,1)"}}`,
		`bounds [-1:0]={"(1,1)";"a\"b\\c"}`, `cube [0:0][2:2][3:4]={{{"(1,1)";NULL}}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "a", "'a'"},
		{"a quote", "it's", "'it''s'"},
		{"a backslash", `a\'b`, `E'a\\''b'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := typecases.Quote(c.text); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBadLists(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown word", "colum a b", "line 1: unknown word"},
		{"no type", "column a\n", "line 1: column a has no type"},
		{"no value", "column a b\n\n", "line 2: column a has no value"},
		{"no value at the end", "column a b\n", "line 1: column a has no value"},
		{"only expressions", "column a b\n  x =1\n", "line 2: column a has no literal"},
		{"a value of nothing", "  x 1\n", "line 1:"},
		{"a bad string", "column a b\n  x \"y\n", "line 2: value x"},
		{"a bad version", "since x\n", "line 1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := typecases.Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}
