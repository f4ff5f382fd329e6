package pgtext_test

import (
	"encoding/hex"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"penstock/schema/pgtext"
)

func TestAppendBytea(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"hex", `\xDEADbeef`, "\xde\xad\xbe\xef"},
		{"no bytes in hex", `\x`, ""},
		{"no bytes in escape form", "", ""},
		{"escape form", `abc\\x\000\377`, "abc\\x\x00\xff"},
		{"escape form, octal first", `\134x`, `\x`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := pgtext.AppendBytea([]byte("-"), []byte(c.text))
			if err != nil || string(got) != "-"+c.want {
				t.Errorf("got %q, %v, want -%q", got, err, c.want)
			}
		})
	}
	for _, text := range []string{`\x0`, `\xzz`, `\`, `a\1`, `a\12`, `a\400`, `a\8`, `\x 00`} {
		if got, err := pgtext.AppendBytea([]byte("-"), []byte(text)); err == nil || string(got) != "-" {
			t.Errorf("%q: got %q, %v, want - and an error", text, got, err)
		}
	}
}

func TestAppendBits(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"0", ""},
		{"1", "01"},
		{"101", "05"},
		{"10000000", "80"},
		{"100000000", "0001"},
		{"0000000000000001", "01"}, // zeros at the front take no byte
		{"1000000000000000", "0080"},
		{"110000000011", "030c"},
	} {
		got, err := pgtext.AppendBits([]byte{0xaa}, []byte(c.text))
		if err != nil || hex.EncodeToString(got) != "aa"+c.want {
			t.Errorf("%s: got %x, %v, want aa%s", c.text, got, err, c.want)
		}
	}
	if got, err := pgtext.AppendBits([]byte{0xaa}, []byte("1021")); err == nil || len(got) != 1 {
		t.Errorf("got %x, %v, want aa and an error", got, err)
	}
}

func TestParseGeometry(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name, text string
		parse      func([]byte) (any, error)
		want       any
	}{
		{"point", "(1,-2.5)", point, pgtext.Point{X: 1, Y: -2.5}},
		{"point with exponents", "(1e+300,1.2345678901234567e-07)", point, pgtext.Point{X: 1e300, Y: 1.2345678901234567e-07}},
		{"point at infinity", "(Infinity,-Infinity)", point, pgtext.Point{X: inf, Y: -inf}},
		{"point that is none", "(NaN,-0)", point, pgtext.Point{X: nan, Y: math.Copysign(0, -1)}},
		{"lseg", "[(1,2),(3,4)]", lseg, [2]pgtext.Point{{X: 1, Y: 2}, {X: 3, Y: 4}}},
		{"box", "(3,4),(1,2)", box, [2]pgtext.Point{{X: 3, Y: 4}, {X: 1, Y: 2}}},
		{"closed path", "((1,2),(3,4))", path, pgtext.Path{Closed: true, Points: []pgtext.Point{{X: 1, Y: 2}, {X: 3, Y: 4}}}},
		{"open path", "[(1,2)]", path, pgtext.Path{Points: []pgtext.Point{{X: 1, Y: 2}}}},
		{"polygon", "((0,0),(0,1),(1,0))", polygon, []pgtext.Point{{}, {Y: 1}, {X: 1}}},
		{"line", "{1,-1,0}", line, pgtext.Line{A: 1, B: -1}},
		{"circle", "<(1,2),3.5>", circle, pgtext.Circle{Center: pgtext.Point{X: 1, Y: 2}, Radius: 3.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for n := range len(c.text) {
				if got, err := c.parse([]byte(c.text[:n])); err == nil {
					t.Errorf("%q: got %v, want an error", c.text[:n], got)
				}
			}
			if got, err := c.parse([]byte(c.text + "x")); err == nil {
				t.Errorf("%qx: got %v, want an error", c.text, got)
			}
		})
	}
}

func TestParseGeometryErrors(t *testing.T) {
	for _, c := range []struct {
		text  string
		parse func([]byte) (any, error)
	}{
		{"(1;2)", point}, {"(,)", point}, {"(1e999,0)", point}, {"(0x1p4,0)", point}, {"(1_0,0)", point}, {"(inf,0)", point}, {"(1,2,3)", point},
		{"(1,2),(3,4)", lseg}, {"[(1,2)(3,4)]", lseg}, {"(1,2);(3,4)", box}, {"()", path}, {"[]", path}, {"((1,2)]", path}, {"[(1,2))", path},
		{"(1,2)", polygon}, {"((1,2),)", polygon}, {"{1,2}", line}, {"{1,2,3,4}", line}, {"<(1,2)>", circle}, {"((1,2),3)", circle},
	} {
		if got, err := c.parse([]byte(c.text)); err == nil {
			t.Errorf("%q: got %v, want an error", c.text, got)
		}
	}
}

func point(b []byte) (any, error)   { return pgtext.ParsePoint(b) }
func lseg(b []byte) (any, error)    { return pgtext.ParseLSeg(b) }
func box(b []byte) (any, error)     { return pgtext.ParseBox(b) }
func path(b []byte) (any, error)    { return pgtext.ParsePath(b) }
func polygon(b []byte) (any, error) { return pgtext.ParsePolygon(b) }
func line(b []byte) (any, error)    { return pgtext.ParseLine(b) }
func circle(b []byte) (any, error)  { return pgtext.ParseCircle(b) }
