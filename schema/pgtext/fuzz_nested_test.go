package pgtext_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema/pgtext"
)

// The fuzz targets' claim is that nothing panics, and that what is read prints to
// a text that is read as the same again.

// again parses what was printed, and compares it with what it was printed from.
func again[T any](t *testing.T, value T, printed string, parse func([]byte) (T, error), options ...cmp.Option) {
	t.Helper()
	back, err := parse([]byte(printed))
	if err != nil {
		t.Fatalf("%+v printed as %q: %v", value, printed, err)
	}
	if diff := cmp.Diff(value, back, options...); diff != "" {
		t.Fatalf("printed as %q (-want +got):\n%s", printed, diff)
	}
}

// byText compares elements as Postgres tells them apart.
func byText() cmp.Option {
	return cmp.Comparer(func(a, b pgtext.Elem) bool {
		return a.Null == b.Null && (a.Null || bytes.Equal(a.Text, b.Text))
	})
}

func backslashed(text []byte) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(text)) + `"`
}

func doubled(text []byte) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `""`).Replace(string(text)) + `"`
}

func FuzzArray(f *testing.F) {
	for _, c := range arrayCases() {
		f.Add([]byte(c.text), c.delimiter)
	}
	f.Add([]byte("1 2 -3"), byte(' '))
	f.Fuzz(func(t *testing.T, text []byte, delimiter byte) {
		if v, err := pgtext.ParseVector(text); err == nil && string(text) != strings.Join(shown(v.Elems), " ") {
			t.Fatalf("vector %q has the elements %q", text, shown(v.Elems))
		}
		array, err := pgtext.ParseArray(text, delimiter)
		if err != nil || !slices.Contains([]byte(",;:|"), delimiter) {
			return
		}
		size := 1
		for _, d := range array.Dims {
			size *= d.Len
		}
		if size != len(array.Elems) && len(array.Dims) > 0 {
			t.Fatalf("%q: %d elements in the dimensions %v", text, len(array.Elems), array.Dims)
		}
		again(t, array, printArray(array, delimiter), func(b []byte) (pgtext.Array, error) {
			return pgtext.ParseArray(b, delimiter)
		}, byText())
	})
}

func printArray(array pgtext.Array, delimiter byte) string {
	if len(array.Dims) == 0 {
		return "{}"
	}
	var b strings.Builder
	for _, d := range array.Dims {
		fmt.Fprintf(&b, "[%d:%d]", d.Lower, d.Lower+d.Len-1)
	}
	b.WriteByte('=')
	printDims(&b, array.Dims, array.Elems, delimiter)
	return b.String()
}

func printDims(b *strings.Builder, dims []pgtext.Dim, elems []pgtext.Elem, delimiter byte) {
	b.WriteByte('{')
	each := len(elems) / dims[0].Len
	for i := range dims[0].Len {
		if i > 0 {
			b.WriteByte(delimiter)
		}
		switch part := elems[i*each : (i+1)*each]; {
		case len(dims) > 1:
			printDims(b, dims[1:], part, delimiter)
		case part[0].Null:
			b.WriteString("NULL")
		default:
			b.WriteString(backslashed(part[0].Text))
		}
	}
	b.WriteByte('}')
}

func FuzzComposite(f *testing.F) {
	for _, c := range compositeCases() {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		elems, err := pgtext.ParseComposite(text)
		if err != nil {
			return
		}
		fields := make([]string, len(elems))
		for i, e := range elems {
			if !e.Null {
				fields[i] = doubled(e.Text)
			}
		}
		again(t, elems, "("+strings.Join(fields, ",")+")", pgtext.ParseComposite, byText())
	})
}

func FuzzRange(f *testing.F) {
	for _, c := range slices.Concat(rangeCases(), multirangeCases()) {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := pgtext.ParseRange(text); err == nil {
			again(t, v, printRange(v), pgtext.ParseRange, byBound())
		}
		ranges, err := pgtext.ParseMultirange(text)
		if err != nil {
			return
		}
		printed := make([]string, len(ranges))
		for i, v := range ranges {
			printed[i] = printRange(v)
		}
		again(t, ranges, "{"+strings.Join(printed, ",")+"}", pgtext.ParseMultirange, byBound())
	})
}

func byBound() cmp.Option {
	return cmp.Comparer(func(a, b pgtext.Bound) bool {
		return a.Infinite == b.Infinite && a.Inclusive == b.Inclusive && bytes.Equal(a.Text, b.Text)
	})
}

func printRange(v pgtext.Range) string {
	if v.Empty {
		return "empty"
	}
	edge := func(b pgtext.Bound, in, out string) (bracket, text string) {
		if !b.Infinite {
			text = doubled(b.Text)
		}
		if b.Inclusive {
			return in, text
		}
		return out, text
	}
	opening, lower := edge(v.Lower, "[", "(")
	closing, upper := edge(v.Upper, "]", ")")
	return opening + lower + "," + upper + closing
}

func FuzzHstore(f *testing.F) {
	for _, c := range hstoreCases() {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pairs, err := pgtext.ParseHstore(text)
		if err != nil {
			return
		}
		printed := make([]string, len(pairs))
		for i, p := range pairs {
			value := "NULL"
			if !p.Value.Null {
				value = backslashed(p.Value.Text)
			}
			printed[i] = backslashed(p.Key) + "=>" + value
		}
		again(t, pairs, strings.Join(printed, ", "), pgtext.ParseHstore, byText(), cmp.Comparer(bytes.Equal))
	})
}
