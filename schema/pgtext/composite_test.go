package pgtext_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema/pgtext"
)

type textsCase struct {
	name, text string
	want       []string
}

func compositeCases() []textsCase {
	return []textsCase{
		{"a number, a text and a NULL", `(1,"b ""x""",)`, []string{"1", `b "x"`, null}},
		{"only NULLs", `(,,)`, []string{null, null, null}},
		{"no field, or one NULL", `()`, []string{null}},
		{"empty text", `("",a)`, []string{"", "a"}},
		{"backslashes", `("a\\b")`, []string{`a\b`}},
		{"parentheses and commas", `("(1,2)","a,b")`, []string{"(1,2)", "a,b"}},
		{"a composite in a composite", `(1,"(2,""a """"b"""""")")`, []string{"1", `(2,"a ""b""")`}},
		{"an array", `("{1,2}","{""a b"",NULL}")`, []string{"{1,2}", `{"a b",NULL}`}},
		{"a quote alone", `("""")`, []string{`"`}},
		{"NULL is a text", `(NULL)`, []string{"NULL"}},
		{"quotes in the middle, as the input may have", `(a"b,c"d)`, []string{"ab,cd"}},
		{"an escape without quotes", `(a\,b)`, []string{"a,b"}},
		{"spaces belong to the field", "(\"a \",\"\n\")", []string{"a ", "\n"}},
	}
}

func TestParseComposite(t *testing.T) {
	for _, c := range compositeCases() {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.ParseComposite([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shown(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "1", "(", "(1", "(1,", `("a)`, `(a\`, `(a\)`, "(1)x", `("a"`} {
		if got, err := pgtext.ParseComposite([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, shown(got))
		}
	}
}

// bound is a bound's text, with its bracket on the side where it stands.
func bound(b pgtext.Bound) string {
	switch {
	case b.Infinite:
		return "none"
	case b.Inclusive:
		return "at " + string(b.Text)
	}
	return "past " + string(b.Text)
}

func rangesShown(ranges ...pgtext.Range) []string {
	texts := make([]string, 0, 2*len(ranges))
	for _, r := range ranges {
		if r.Empty {
			texts = append(texts, "empty")
		} else {
			texts = append(texts, bound(r.Lower), bound(r.Upper))
		}
	}
	return texts
}

func rangeCases() []textsCase {
	return []textsCase{
		{"integers", "[1,10)", []string{"at 1", "past 10"}},
		{"empty", "empty", []string{"empty"}},
		{"no bounds", "(,)", []string{"none", "none"}},
		{"no lower bound", "(,10]", []string{"none", "at 10"}},
		{"no upper bound", "[1,)", []string{"at 1", "none"}},
		{"brackets without bounds are exclusive", "[,]", []string{"none", "none"}},
		{"the bound infinity", "[2025-08-25,infinity]", []string{"at 2025-08-25", "at infinity"}},
		{"timestamps", `["2025-08-25 00:00:00","2025-08-26 00:00:00")`, []string{"at 2025-08-25 00:00:00", "past 2025-08-26 00:00:00"}},
		{"texts", `("a,b","c""d\\e"]`, []string{"past a,b", `at c"d\e`}},
		{"an empty text", `["",a)`, []string{"at ", "past a"}},
		{"escapes without quotes", `(\,,\])`, []string{"past ,", "past ]"}},
	}
}

func TestParseRange(t *testing.T) {
	for _, c := range rangeCases() {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.ParseRange([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, rangesShown(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "[", "[1", "[1,", "[1,2", "[1)", "[1,2,3)", "[1,2)x", "emptyx", "1,2", `["1,2)`, `(1,2\)`} {
		if got, err := pgtext.ParseRange([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, rangesShown(got))
		}
	}
}

func multirangeCases() []textsCase {
	return []textsCase{
		{"none", "{}", []string{}},
		{"two", "{[1,3),[5,8)}", []string{"at 1", "past 3", "at 5", "past 8"}},
		{"without bounds", "{(,3),[5,)}", []string{"none", "past 3", "at 5", "none"}},
		{"quoted", `{["2025-08-25 00:00:00+00","2025-08-26 00:00:00+00")}`, []string{"at 2025-08-25 00:00:00+00", "past 2025-08-26 00:00:00+00"}},
		{"a quoted brace", `{["}","}"]}`, []string{"at }", "at }"}},
	}
}

func TestParseMultirange(t *testing.T) {
	for _, c := range multirangeCases() {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.ParseMultirange([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, rangesShown(got...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "{", "{[1,2)", "{[1,2),}", "{[1,2)[3,4)}", "{}x", "{,}", "{empty}", "[1,2)"} {
		if got, err := pgtext.ParseMultirange([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, rangesShown(got...))
		}
	}
}

func hstoreCases() []textsCase {
	return []textsCase{
		{"none", "", []string{}},
		{"one", `"a"=>"1"`, []string{"a", "1"}},
		{"NULL and the text NULL", `"a"=>NULL, "b"=>"NULL"`, []string{"a", null, "b", "NULL"}},
		{"empty texts", `""=>""`, []string{"", ""}},
		{"quotes and backslashes", `"a\"b"=>"c\\d", "e=>f"=>"g, h"`, []string{`a"b`, `c\d`, "e=>f", "g, h"}},
		{"emoji", `"🐘"=>"š"`, []string{"🐘", "š"}},
	}
}

func TestParseHstore(t *testing.T) {
	for _, c := range hstoreCases() {
		t.Run(c.name, func(t *testing.T) {
			pairs, err := pgtext.ParseHstore([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, p := range pairs {
				got = append(got, string(p.Key), shown([]pgtext.Elem{p.Value})[0])
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{`"a"`, `"a"=>`, `"a"=>1`, `a=>"1"`, `"a"=>"1",`, `"a"=>"1" "b"=>"2"`, `"a"=>"1`, `"a\`, `"a"=>NULLx`, `"a"->"1"`} {
		if got, err := pgtext.ParseHstore([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

// Every prefix of a value gives a value or an error.
func TestPrefixesOfValuesDoNotPanic(t *testing.T) {
	prefixes := func(text string, parse func([]byte) error) {
		for n := range len(text) {
			if err := parse([]byte(text[:n])); err == nil && text[0] != '"' {
				t.Errorf("%q, a part of %q, is no error", text[:n], text)
			}
		}
	}
	for _, c := range arrayCases() {
		if c.text[len(c.text)-1] == ' ' {
			continue // its prefix is the whole value
		}
		prefixes(c.text, func(b []byte) error { _, err := pgtext.ParseArray(b, c.delimiter); return err })
	}
	for _, c := range compositeCases() {
		prefixes(c.text, func(b []byte) error { _, err := pgtext.ParseComposite(b); return err })
	}
	for _, c := range rangeCases() {
		prefixes(c.text, func(b []byte) error { _, err := pgtext.ParseRange(b); return err })
	}
	for _, c := range multirangeCases() {
		prefixes(c.text, func(b []byte) error { _, err := pgtext.ParseMultirange(b); return err })
	}
	for _, c := range hstoreCases() { // those that end after an entry are values
		prefixes(c.text, func(b []byte) error { _, err := pgtext.ParseHstore(b); return err })
	}
}
