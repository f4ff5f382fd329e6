package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock/schema/jsontext"
)

func TestAppendString(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `""`},
		{"plain", "a b", `"a b"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
		{"short escapes", "\n\r\t", `"\n\r\t"`},
		{"control bytes", "\x00\x1f\x7f", "\"\\u0000\\u001f\x7f\""},
		{"beyond ASCII", "žluť 🐘", `"žluť 🐘"`},
		{"not UTF-8", "a\xffb\xc5", `"a\ufffdb\ufffd"`},
		{"a surrogate's bytes", "\xed\xa0\x80", `"\ufffd\ufffd\ufffd"`},
		{"U+FFFD itself", "\ufffd", "\"\ufffd\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(jsontext.AppendString([]byte("x"), c.text)); got != "x"+c.want {
				t.Errorf("got %s, want x%s", got, c.want)
			}
			if got := string(jsontext.AppendString(nil, []byte(c.text))); got != c.want {
				t.Errorf("got %s of the bytes, want %s", got, c.want)
			}
		})
	}
}

// The texts are what Jackson 2 writes.
func TestAppendJackson(t *testing.T) {
	for _, c := range []struct{ name, text, octets, asText string }{
		{"empty", "", `""`, `""`},
		{"plain", "a b", `"a b"`, `"a b"`},
		{"quote, backslash, slash", `a"b\c/`, `"a\"b\\c/"`, `"a\"b\\c/"`},
		{"short escapes", "\b\f\n\r\t", `"\b\f\n\r\t"`, `"\b\f\n\r\t"`},
		{"control bytes", "\x00\x1f\x7f", "\"\\u0000\\u001F\x7f\"", "\"\\u0000\\u001F\x7f\""},
		{"beyond ASCII", "žluť \u2028\ufeff\uffff", "\"žluť \u2028\ufeff\uffff\"", "\"žluť \u2028\ufeff\uffff\""},
		{"beyond U+FFFF", "a🐘\U0010ffff", `"a\uD83D\uDC18\uDBFF\uDFFF"`, "\"a🐘\U0010ffff\""},
		{"not UTF-8", "a\xffb\xc5", "\"a\ufffdb\ufffd\"", "\"a\ufffdb\ufffd\""},
		{"a surrogate's bytes", "\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\"", "\"\ufffd\ufffd\ufffd\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(jsontext.AppendJackson([]byte("x"), c.text)); got != "x"+c.octets {
				t.Errorf("got %s, want x%s", got, c.octets)
			}
			if got := string(jsontext.AppendJackson(nil, []byte(c.text))); got != c.octets {
				t.Errorf("got %s of the bytes, want %s", got, c.octets)
			}
			if got := string(jsontext.AppendJacksonText(nil, c.text)); got != c.asText {
				t.Errorf("got %s as text, want %s", got, c.asText)
			}
		})
	}
}

func TestAppendFloat(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"1.5e-07", "1.5e-07"}, {"-0", "-0"}, {"NaN", `"NaN"`}, {"Infinity", `"Infinity"`}, {"-Infinity", `"-Infinity"`},
	} {
		if got := string(jsontext.AppendFloat(nil, []byte(c.text))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// FuzzAppendString: encoding/json reads the text again, with U+FFFD for what is not UTF-8, in every spelling.
func FuzzAppendString(f *testing.F) {
	for _, text := range []string{"", "a", "\"\\\n\x00", "\xff🐘\xed\xa0\x80", "\u2028"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want strings.Builder
		for _, r := range text { // range gives U+FFFD for each byte that is not UTF-8
			want.WriteRune(r)
		}
		for _, out := range [][]byte{
			jsontext.AppendString(nil, text), jsontext.AppendJackson(nil, text), jsontext.AppendJacksonText(nil, text),
		} {
			var got string
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%q of %q: %v", out, text, err)
			}
			if got != want.String() || !utf8.Valid(out) {
				t.Fatalf("got %q of %q, want %q", got, text, want.String())
			}
		}
	})
}

// FuzzIsNumber: agrees with encoding/json.
func FuzzIsNumber(f *testing.F) {
	for _, text := range []string{"0", "-0", "01", "1.", ".5", "1.5e+10", "1E5", "1e", "-", "", "NaN", "1 ", "+1", "12345678901234567890.5"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		starts := len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
		ends := len(text) > 0 && text[len(text)-1] >= '0' && text[len(text)-1] <= '9'
		want := starts && ends && json.Valid(text)
		if got := jsontext.IsNumber(text); got != want {
			t.Fatalf("got %v of %q, want %v", got, text, want)
		}
	})
}
