package verify

import (
	"bytes"
	"strings"
	"testing"
)

// escaped is a text as COPY writes it.
var escaped = strings.NewReplacer(`\`, `\\`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)

// copied is what COPY sends of rows.
func copied(rows [][]*string) (stream []byte) {
	for _, row := range rows {
		for i, text := range row {
			if i > 0 {
				stream = append(stream, '\t')
			}
			if text == nil {
				stream = append(stream, `\N`...)
				continue
			}
			stream = append(stream, escaped.Replace(*text)...)
		}
		stream = append(stream, '\n')
	}
	return stream
}

// FuzzCopyRows writes rows as COPY does, cut anywhere, and reads them back.
func FuzzCopyRows(f *testing.F) {
	f.Add("a", "b\tc\n", `\N`, 3)
	f.Add("", `\`, "\x00\b\f\r\v ü", 1)
	f.Fuzz(func(t *testing.T, a, b, c string, cut int) {
		rows := [][]*string{{&a, &b, nil}, {&c, nil, &a}, {nil, nil, nil}, {&b, &c, &a}}
		stream := copied(rows)
		n := 0
		reader := &copyRows{columns: 3, visit: func(texts [][]byte) error {
			for i, text := range texts {
				switch want := rows[n][i]; {
				case (want == nil) != (text == nil), want != nil && *want != string(text):
					t.Fatalf("row %d column %d is %q", n, i, text)
				}
			}
			n++
			return nil
		}}
		if cut < 1 {
			cut = 1
		}
		for data := bytes.Clone(stream); len(data) > 0; {
			part := data[:min(cut, len(data))]
			data = data[len(part):]
			if _, err := reader.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if n != len(rows) || len(reader.rest) > 0 {
			t.Fatalf("%d rows, %q is left", n, reader.rest)
		}
	})
}

// FuzzCopyRowsTakesAnything must not panic.
func FuzzCopyRowsTakesAnything(f *testing.F) {
	f.Add([]byte("a\\\t\\"), 1)
	f.Add([]byte("\\N\t\\x\n"), 2)
	f.Fuzz(func(_ *testing.T, data []byte, columns int) {
		_, _ = (&copyRows{columns: columns, visit: func([][]byte) error { return nil }}).Write(bytes.Clone(data))
	})
}
