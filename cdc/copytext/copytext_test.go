package copytext_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/copytext"
	"penstock/schema"
)

func text(s string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(s)} }

func TestRow(t *testing.T) {
	null := schema.Value{Kind: schema.Null}
	for _, c := range []struct {
		name, line string
		columns    int
		want       schema.Tuple
		problem    string
	}{
		{"values", "1\ta b\t\n", 3, schema.Tuple{text("1"), text("a b"), text("")}, ""},
		{"without a newline", "1\t2", 2, schema.Tuple{text("1"), text("2")}, ""},
		{"null and what looks like it", `\N` + "\t" + `\\N` + "\tN\n", 3, schema.Tuple{null, text(`\N`), text("N")}, ""},
		{"every escape", `\b\f\n\r\t\v\\` + "\t" + `a\tb` + "\n", 2, schema.Tuple{text("\b\f\n\r\t\v\\"), text("a\tb")}, ""},
		{"one empty column", "\n", 1, schema.Tuple{text("")}, ""},
		{"no columns", "\n", 0, nil, ""},
		{"bytes that are no text", "\xff\x00\t\x80", 2, schema.Tuple{text("\xff\x00"), text("\x80")}, ""},
		{"no columns, but a value", "x\n", 0, nil, "byte 0: a value in a row without columns"},
		{"too few", "1\n", 2, nil, "byte 1: 1 columns, the table has 2"},
		{"too many", "1\t2\t3\n", 2, nil, "byte 4: more than 2 columns"},
		{"half an escape", "1\ta\\\n", 2, nil, "byte 3: a backslash at the end of a value"},
		{"an unknown escape", `a\x41`, 1, nil, `byte 1: unknown escape \x`},
		{"the end of data of old", `\.`, 1, nil, `byte 0: unknown escape \.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(copytext.Reader).Row([]byte(c.line), c.columns)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Fatalf("got %v, %v, want an error with %q", got, err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// escape writes a tuple as COPY TO does.
func escape(tuple schema.Tuple) []byte {
	var line []byte
	for i, v := range tuple {
		if i > 0 {
			line = append(line, '\t')
		}
		if v.Kind == schema.Null {
			line = append(line, `\N`...)
			continue
		}
		for _, c := range v.Data {
			if i := strings.IndexByte("\b\f\n\r\t\v\\", c); i >= 0 {
				line = append(line, '\\', `bfnrtv\`[i])
			} else {
				line = append(line, c)
			}
		}
	}
	return append(line, '\n')
}

// FuzzRow: no line panics, and what is read is written as the same line again.
func FuzzRow(f *testing.F) {
	for _, line := range []string{"1\t2\n", `\N` + "\n", `a\\b\tc` + "\t\xff\n", "\n", `\`} {
		f.Add([]byte(line), uint8(2))
		f.Add([]byte(line), uint8(1))
	}
	f.Fuzz(func(t *testing.T, line []byte, columns uint8) {
		var r copytext.Reader
		tuple, err := r.Row(line, int(columns))
		if err != nil || columns == 0 || bytes.ContainsAny(bytes.TrimSuffix(line, []byte("\n")), "\b\f\n\r\v") {
			return // COPY TO escapes these
		}
		if got, want := escape(tuple), append(bytes.TrimSuffix(line, []byte("\n")), '\n'); !bytes.Equal(got, want) {
			t.Errorf("%q is read as what is written as %q", want, got)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	line := []byte("42\t6f9619ff-8b86-d011-b42d-00cf4fc964ff\tsome text of a row\\nwith two lines\t{\"a\": 1}\t2025-08-25 16:13:40.436907+00\n")
	var r copytext.Reader
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Row(line, 5); err != nil {
			b.Fatal(err)
		}
	}
}
