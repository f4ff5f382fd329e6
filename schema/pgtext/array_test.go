package pgtext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema/pgtext"
)

// null is an element that is NULL; every other text stands for itself.
const null = "\x00NULL"

// shown makes elements readable: their texts, or null.
func shown(elems []pgtext.Elem) []string {
	texts := make([]string, 0, len(elems))
	for _, e := range elems {
		if e.Null {
			texts = append(texts, null)
		} else {
			texts = append(texts, string(e.Text))
		}
	}
	return texts
}

func dims(pairs ...int) []pgtext.Dim {
	var all []pgtext.Dim
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pgtext.Dim{Lower: pairs[i], Len: pairs[i+1]})
	}
	return all
}

type arrayCase struct {
	name, text string
	delimiter  byte
	dims       []pgtext.Dim
	elems      []string
}

func arrayCases() []arrayCase {
	return []arrayCase{
		{"empty", `{}`, ',', nil, []string{}},
		{"numbers", `{1,-2,3}`, ',', dims(1, 3), []string{"1", "-2", "3"}},
		{"one NULL", `{NULL}`, ',', dims(1, 1), []string{null}},
		{"NULL and the text NULL", `{NULL,"NULL",null}`, ',', dims(1, 3), []string{null, "NULL", null}},
		{"empty text", `{""}`, ',', dims(1, 1), []string{""}},
		{"quotes, backslashes, braces and commas", `{"a\"b","c\\d","{e}","f,g"," h "}`, ',', dims(1, 5), []string{`a"b`, `c\d`, "{e}", "f,g", " h "}},
		{"two dimensions", `{{1,2,3},{4,5,NULL}}`, ',', dims(1, 2, 1, 3), []string{"1", "2", "3", "4", "5", null}},
		{"six dimensions", `{{{{{{1}},{{2}}}}}}`, ',', dims(1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1), []string{"1", "2"}},
		{"a lower bound", `[0:2]={a,b,c}`, ',', dims(0, 3), []string{"a", "b", "c"}},
		{"lower bounds of two dimensions", `[-1:0][5:5]={{x},{NULL}}`, ',', dims(-1, 2, 5, 1), []string{"x", null}},
		{"bounds at the ends of int4", `[-2147483648:-2147483647]={1,2}`, ',', dims(-2147483648, 2), []string{"1", "2"}},
		{"composites", `{"(1,\"a b\")","(2,)"}`, ',', dims(1, 2), []string{`(1,"a b")`, "(2,)"}},
		{"arrays of a domain over an array", `{"{1,2}","{3}"}`, ',', dims(1, 2), []string{"{1,2}", "{3}"}},
		{"boxes", `{(3,4),(1,2);(7,8),(5,6)}`, ';', dims(1, 2), []string{"(3,4),(1,2)", "(7,8),(5,6)"}},
		{"ranges", `{"[1,5)",empty,"(,)"}`, ',', dims(1, 3), []string{"[1,5)", "empty", "(,)"}},
		{"timestamps", `{"2025-08-25 16:13:40.436907",infinity}`, ',', dims(1, 2), []string{"2025-08-25 16:13:40.436907", "infinity"}},
		{"bytea", `{"\\xdeadbeef"}`, ',', dims(1, 1), []string{`\xdeadbeef`}},
		{"emoji and line ends", "{🐘,\"a\nb\"}", ',', dims(1, 2), []string{"🐘", "a\nb"}},
		{"spaces that only people write", ` { { a b , "c" } , { d , NULL } } `, ',', dims(1, 2, 1, 2), []string{"a b", "c", "d", null}},
		{"escapes without quotes", `{\N\U\L\L,a\ ,\,b}`, ',', dims(1, 3), []string{"NULL", "a ", ",b"}},
	}
}

func TestParseArray(t *testing.T) {
	for _, c := range arrayCases() {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.ParseArray([]byte(c.text), c.delimiter)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.dims, got.Dims); diff != "" {
				t.Errorf("dimensions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.elems, shown(got.Elems)); diff != "" {
				t.Errorf("elements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseArrayErrors(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"nothing", ""},
		{"no brace", "1,2"},
		{"not closed", "{1"},
		{"a quote not closed", `{"a`},
		{"more after it", "{1}x"},
		{"an element is missing in front", "{,1}"},
		{"an element is missing at the end", "{1,}"},
		{"an element is missing inside", "{1,,2}"},
		{"ragged", "{{1,2},{3}}"},
		{"ragged the other way", "{{1},{2,3}}"},
		{"a sub-array after an element", "{1,{2}}"},
		{"an element after a sub-array", "{{1},2}"},
		{"an empty sub-array", "{{}}"},
		{"seven dimensions", "{{{{{{{1}}}}}}}"},
		{"seven bounds", "[1:1][1:1][1:1][1:1][1:1][1:1][1:1]={{{{{{{1}}}}}}}"},
		{"bounds without =", "[1:1]{1}"},
		{"bounds of another length", "[1:3]={1,2}"},
		{"bounds of fewer dimensions", "[1:1]={{1}}"},
		{"bounds of more dimensions", "[1:1][1:1]={1}"},
		{"bounds the wrong way", "[2:1]={}"},
		{"bounds of nothing", "[1:1]={}"},
		{"a bound beyond int4", "[2147483648:2147483648]={1}"},
		{"a bound that is no number", "[a:1]={1}"},
		{"a quote inside", `{a"b"}`},
		{"text after a quote", `{"a"b}`},
		{"a brace inside", `{a{b}}`},
		{"a backslash at the end", `{a\`},
		{"a backslash at the end in quotes", `{"a\`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := pgtext.ParseArray([]byte(c.text), ','); err == nil {
				t.Errorf("got %q, want an error", shown(got.Elems))
			}
		})
	}
}

func TestParseVector(t *testing.T) {
	for _, c := range []struct {
		name, text string
		dims       []pgtext.Dim
		elems      []string
	}{
		{"int2vector", "1 2 -3", dims(0, 3), []string{"1", "2", "-3"}},
		{"oidvector", "4294967295", dims(0, 1), []string{"4294967295"}},
		{"empty", "", nil, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.ParseVector([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.dims, got.Dims); diff != "" {
				t.Errorf("dimensions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.elems, shown(got.Elems)); diff != "" {
				t.Errorf("elements (-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{" 1", "1 ", "1  2", "a", "1,2", "-"} {
		if got, err := pgtext.ParseVector([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, shown(got.Elems))
		}
	}
}

// What needs no unescaping is not copied, and cannot grow into its neighbour.
func TestElementsAliasTheText(t *testing.T) {
	text := []byte(`{ab,"cd","e\\f"}`)
	array, err := pgtext.ParseArray(text, ',')
	if err != nil {
		t.Fatal(err)
	}
	copy(text, strings.ToUpper(string(text)))
	if diff := cmp.Diff([]string{"AB", "CD", `e\f`}, shown(array.Elems)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, e := range array.Elems {
		_ = append(e.Text, "xxxx"...)
	}
	if got, want := string(text), `{AB,"CD","E\\F"}`; got != want {
		t.Errorf("got %s after appending to the elements, want %s", got, want)
	}
}
