package parity_test

import (
	"slices"
	"strings"
	"testing"

	"penstock/internal/parity"
)

func TestShapesAreWhole(t *testing.T) {
	shapes, err := parity.LoadShapes()
	if err != nil {
		t.Fatal(err)
	}
	if len(shapes) < 40 {
		t.Errorf("got %d shapes, want at least 40", len(shapes))
	}
	contents := map[parity.Content]bool{}
	names := map[string]bool{}
	for _, s := range shapes {
		if names[s.Name] {
			t.Errorf("shape %s is there twice", s.Name)
		}
		names[s.Name] = true
		for _, in := range s.In {
			contents[in] = true
		}
	}
	contents[parity.Types] = true
	for _, content := range parity.Contents() {
		if !contents[content] {
			t.Errorf("no shape is in %s", content)
		}
		reads := func(p parity.Pass) bool { return p.Content == content }
		if !slices.ContainsFunc(parity.Passes(), reads) {
			t.Errorf("no pass reads %s", content)
		}
	}
}

func TestParseShape(t *testing.T) {
	shapes, err := parity.ParseShapes("-- shape a: what\n-- publication rooted\n-- also wide\n-- since 18\nCREATE TABLE t\n  (id int);\n\n-- changes\nINSERT;\nDELETE;\n")
	if err != nil {
		t.Fatal(err)
	}
	s := shapes[0]
	if s.Name != "a" || s.What != "what" || !slices.Equal(s.In, []parity.Content{parity.Rooted, parity.Wide}) || s.Since != 18 ||
		!slices.Equal(s.Setup, []string{"CREATE TABLE t\n  (id int);"}) || !slices.Equal(s.Changes, []string{"INSERT;", "DELETE;"}) {
		t.Errorf("got %+v", s)
	}
}

func TestBadShapes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no shape", "SELECT 1;", "before the first shape"},
		{"no changes", "-- shape a: b\nSELECT 1;\n", "has no changes"},
		{"no words", "-- shape a\n-- changes\nSELECT 1;\n", "no words"},
		{"a statement without end", "-- shape a: b\n-- changes\nSELECT 1;\nSELECT 2\n", "statement without end"},
		{"an unknown publication", "-- shape a: b\n-- publication x\n", "no publication x"},
		{"an unknown word", "-- shape a: b\n-- x\n", "unknown word"},
		{"a bad version", "-- shape a: b\n-- since x\n", "shape a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parity.ParseShapes(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}
