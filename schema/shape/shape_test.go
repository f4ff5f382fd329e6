package shape_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/shape"
)

// accounts is a table with a key of two columns, in an order of its own.
func accounts() *schema.Relation {
	base := func(oid uint32, name string) *schema.Type {
		return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
	}
	email := &schema.Type{OID: 90001, Schema: "public", Name: "email", Kind: schema.TypeDomain, Elem: base(25, "text"), Mod: -1}
	return &schema.Relation{
		OID: 16384, Table: schema.TableName{Schema: "public", Name: "accounts"}, Identity: schema.IdentityDefault, Key: []int{1, 0},
		Columns: []schema.Column{
			{Name: "id", TypeOID: 20, TypeMod: -1, Identity: true, Type: base(20, "int8"), NotNull: true},
			{Name: "tenant", TypeOID: 25, TypeMod: -1, Identity: true, Type: base(25, "text"), NotNull: true},
			{Name: "email", TypeOID: 90001, TypeMod: -1, Type: email, Default: "'nobody'::text"},
			{Name: "note", TypeOID: 1043, TypeMod: 104, Type: base(1043, "varchar")},
			{Name: "secret_a", TypeOID: 17, TypeMod: -1, Type: base(17, "bytea")},
			{Name: "secret_b", TypeOID: 4_000_000, TypeMod: -1},
		},
	}
}

func text(s string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(s)} }

func TestShape(t *testing.T) { //nolint:gocognit // one table of cases
	salt := shape.Mask{Salt: []byte("pepper")}
	for _, c := range []struct {
		name    string
		rules   shape.Rules
		columns string
		key     []int
		row     []int
	}{
		{"no rules", shape.Rules{}, "id tenant email note secret_a secret_b", []int{1, 0}, []int{0, 1, 2, 3, 4, 5}},
		{"included", shape.Rules{Include: []string{"note", "id", "tenant"}}, "id tenant note", []int{1, 0}, []int{0, 1, 2}},
		{"included, without the key", shape.Rules{Include: []string{"note"}}, "id tenant note", []int{1, 0}, []int{2}},
		{"excluded", shape.Rules{Exclude: []string{"email"}}, "id tenant note secret_a secret_b", []int{1, 0}, []int{0, 1, 2, 3, 4}},
		{"excluded by a pattern", shape.Rules{Exclude: []string{"secret_*"}}, "id tenant email note", []int{1, 0}, []int{0, 1, 2, 3}},
		{"excluded from what is included", shape.Rules{Include: []string{"*e*"}, Exclude: []string{"secret_?"}}, "id tenant email note", []int{1, 0}, []int{1, 2, 3}},
		{"excluded, of the key", shape.Rules{Exclude: []string{"tenant"}}, "id tenant email note secret_a secret_b", []int{1, 0}, []int{0, 2, 3, 4, 5}},
		{"another key", shape.Rules{Exclude: []string{"id", "note"}, Key: []string{"note"}}, "tenant email note secret_a secret_b", []int{2}, []int{0, 1, 3, 4}},
		{"masked", shape.Rules{Mask: map[string]shape.Mask{"email": salt, "id": salt}}, "id:text tenant email:text note secret_a secret_b", []int{1, 0}, []int{0, 1, 2, 3, 4, 5}},
		{"masked by patterns", shape.Rules{Mask: map[string]shape.Mask{"secret_*": salt, "e????": salt, "secret_a": salt}}, "id tenant email:text note secret_a:text secret_b:text", []int{1, 0}, []int{0, 1, 2, 3, 4, 5}},
		{"truncated", shape.Rules{Truncate: map[string]int{"email": 3, "note": 0, "secret_b": 1}}, "id tenant email note secret_a secret_b", []int{1, 0}, []int{0, 1, 2, 3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rel := accounts()
			s := compile(t, rel, c.rules)
			out := s.Relation()
			if out.OID != rel.OID || out.Table != rel.Table || out.Identity != rel.Identity {
				t.Errorf("got %+v, want what is not columns as in %+v", out, rel)
			}
			var columns []string
			for i := range out.Columns {
				got, from := out.Columns[i], rel.Columns[rel.Index(out.Columns[i].Name)]
				if got.Type != from.Type && got.Type.Name == "text" && got.TypeOID == 25 && got.TypeMod == -1 && got.Default == "" {
					got.Name += ":text"
				} else if got != from {
					t.Errorf("got column %+v, want %+v", got, from)
				}
				if got.NotNull != from.NotNull || got.Identity != from.Identity {
					t.Errorf("got column %+v, want what masking does not touch as in %+v", got, from)
				}
				columns = append(columns, got.Name)
			}
			if got := strings.Join(columns, " "); got != c.columns {
				t.Errorf("got columns %q, want %q", got, c.columns)
			}
			if !slices.Equal(s.KeyColumns(), c.key) || !slices.Equal(out.Key, c.key) {
				t.Errorf("got key %v and %v, want %v", s.KeyColumns(), out.Key, c.key)
			}
			if !slices.Equal(s.RowColumns(), c.row) {
				t.Errorf("got row %v, want %v", s.RowColumns(), c.row)
			}
			if want := accounts(); len(rel.Columns) != len(want.Columns) || rel.Columns[2].Default != want.Columns[2].Default {
				t.Error("the relation that came in was changed")
			}
		})
	}
}

func TestTuple(t *testing.T) {
	s := compile(t, accounts(), shape.Rules{
		Exclude:  []string{"id", "secret_b"},
		Mask:     map[string]shape.Mask{"email": {Salt: []byte("pepper")}, "secret_a": {Salt: bytes.Repeat([]byte("long"), 40)}},
		Truncate: map[string]int{"*": 3}, // the one text column that is neither masked nor of the key
	})
	binary := schema.Value{Kind: schema.Binary, Data: []byte{0, 0xFF}}
	unchanged := schema.Value{Kind: schema.Unchanged}
	masked := func(salt, value string) schema.Value { return text(hmacSHA256([]byte(salt), []byte(value))) }
	long := strings.Repeat("long", 40)
	for _, c := range []struct {
		name     string
		in, want schema.Tuple
	}{
		{"values", schema.Tuple{text("1"), text("t"), text("a@b.c"), text("short"), binary, text("gone")},
			schema.Tuple{text("1"), text("t"), masked("pepper", "a@b.c"), text("sho"), masked(long, "\x00\xFF")}},
		{"cut by a pattern too", schema.Tuple{text("1"), text("tenant"), text("a"), text("note"), {}, {}},
			schema.Tuple{text("1"), text("tenant"), masked("pepper", "a"), text("not"), {}}},
		{"nothing to hide", schema.Tuple{text("1"), text("t"), {}, unchanged, unchanged, text("gone")},
			schema.Tuple{text("1"), text("t"), {}, unchanged, unchanged}},
		{"empty values", schema.Tuple{text("1"), text(""), text(""), text(""), text(""), {}},
			schema.Tuple{text("1"), text(""), masked("pepper", ""), text(""), masked(long, "")}},
		{"characters of several bytes", schema.Tuple{{}, {}, {}, text("aé😀bc"), {}, {}}, schema.Tuple{{}, {}, {}, text("aé😀"), {}}},
		{"characters of several bytes, few", schema.Tuple{{}, {}, {}, text("é😀"), {}, {}}, schema.Tuple{{}, {}, {}, text("é😀"), {}}},
		{"no UTF-8", schema.Tuple{{}, {}, {}, text("\xFF\xC3\xC3\xC3"), {}, {}}, schema.Tuple{{}, {}, {}, text("\xFF\xC3\xC3"), {}}},
		{"no row image", nil, nil},
		{"too short a row", schema.Tuple{text("1")}, schema.Tuple{text("1"), {}, {}, {}, {}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.Tuple(nil, c.in)
			if (got == nil) != (c.want == nil) || !slices.EqualFunc(got, c.want, func(a, b schema.Value) bool {
				return a.Kind == b.Kind && bytes.Equal(a.Data, b.Data)
			}) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// hmacSHA256 is RFC 2104, spelled out.
func hmacSHA256(key, data []byte) string {
	const block = 64
	if len(key) > block {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	inner, outer := bytes.Repeat([]byte{0x36}, block), bytes.Repeat([]byte{0x5C}, block)
	for i, b := range key {
		inner[i] ^= b
		outer[i] ^= b
	}
	first := sha256.Sum256(append(inner, data...))
	return fmt.Sprintf("%x", sha256.Sum256(append(outer, first[:]...)))
}

// The vector is test case 2 of RFC 4231.
func TestMaskIsHMAC(t *testing.T) {
	s := compile(t, accounts(), shape.Rules{Mask: map[string]shape.Mask{"note": {Salt: []byte("Jefe")}}})
	got := s.Tuple(nil, schema.Tuple{{}, {}, {}, text("what do ya want for nothing?"), {}, {}})[3].Data
	if want := "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The tuples of one event are alive together, however many values are masked.
func TestMaskedValuesLiveUntilReset(t *testing.T) {
	s := compile(t, accounts(), shape.Rules{Mask: map[string]shape.Mask{"note": {Salt: []byte("s")}}})
	var tuples []schema.Tuple
	for i := range 100 {
		tuples = append(tuples, s.Tuple(nil, schema.Tuple{{}, {}, {}, text(fmt.Sprint(i)), {}, {}}))
	}
	for i, tuple := range tuples {
		if got, want := string(tuple[3].Data), hmacSHA256([]byte("s"), fmt.Append(nil, i)); got != want {
			t.Errorf("%d: got %s, want %s", i, got, want)
		}
	}
	s.Reset()
	if got, want := string(s.Tuple(nil, schema.Tuple{{}, {}, {}, text("x"), {}, {}})[3].Data), hmacSHA256([]byte("s"), []byte("x")); got != want {
		t.Errorf("after a reset: got %s, want %s", got, want)
	}
}

func TestTupleAllocatesNothing(t *testing.T) {
	s := compile(t, accounts(), shape.Rules{
		Exclude:  []string{"secret_*"},
		Mask:     map[string]shape.Mask{"email": {Salt: []byte("pepper")}, "id": {Salt: []byte("pepper")}},
		Truncate: map[string]int{"note": 3},
	})
	in := schema.Tuple{text("1"), text("t"), text("a@b.c"), text("aé😀bc"), {}, {}}
	var before, after schema.Tuple
	if n := testing.AllocsPerRun(100, func() {
		s.Reset()
		before, after = s.Tuple(before, in), s.Tuple(after, in)
	}); n != 0 {
		t.Errorf("got %v allocations an event, want none", n)
	}
}

func TestCompileErrors(t *testing.T) {
	const columns = ": its columns are id, tenant, email, note, secret_a, secret_b (fix: correct the name, or take it out)"
	const unmatched = ": its columns are id, tenant, email, note, secret_a, secret_b (fix: correct the pattern, or take it out)"
	salt := shape.Mask{Salt: []byte("s")}
	for _, c := range []struct {
		name  string
		rules shape.Rules
		want  string
	}{
		{"a column in another case", shape.Rules{Include: []string{"Email"}}, `include "Email": table public.accounts has no column "Email": ` +
			"its columns are id, tenant, email, note, secret_a, secret_b (fix: write email, in the case that the catalogue has)"},
		{"an unknown column to include", shape.Rules{Include: []string{"emial"}}, `include "emial": table public.accounts has no column "emial"` + columns},
		{"an unknown column to exclude", shape.Rules{Exclude: []string{"gone"}}, `exclude "gone": table public.accounts has no column "gone"` + columns},
		{"an unknown column to mask", shape.Rules{Mask: map[string]shape.Mask{"m": salt}}, `mask "m": table public.accounts has no column "m"` + columns},
		{"an unknown column to truncate", shape.Rules{Truncate: map[string]int{"t": 1}}, `truncate "t": table public.accounts has no column "t"` + columns},
		{"an unknown column of the key", shape.Rules{Key: []string{"k"}}, `key "k": table public.accounts has no column "k"` + columns},
		{"an unknown column of the partition", shape.Rules{Partition: []string{"p"}}, `partition "p": table public.accounts has no column "p"` + columns},
		{"a key with a column twice", shape.Rules{Key: []string{"id", "id"}},
			`key "id": column id of table public.accounts is listed twice (fix: take one of the two out)`},
		{"a mask without salt", shape.Rules{Mask: map[string]shape.Mask{"email": {}}},
			`mask "email": column email of table public.accounts has an empty salt, and without one the values can be guessed (fix: give it a salt)`},
		{"a negative length", shape.Rules{Truncate: map[string]int{"note": -1}},
			`truncate "note": column note of table public.accounts is to have -1 characters (fix: write how many are kept, 0 or more)`},
		{"masked and truncated", shape.Rules{Mask: map[string]shape.Mask{"note": salt}, Truncate: map[string]int{"note": 1}},
			`truncate "note": column note of table public.accounts is masked too (fix: take it out of one of the two)`},
		{"a truncated key", shape.Rules{Truncate: map[string]int{"tenant": 1}},
			`truncate "tenant": column tenant of table public.accounts is part of the key, and rows that differ would get one key (fix: mask it, or take it out)`},
		{"truncated bytes", shape.Rules{Truncate: map[string]int{"secret_a": 1}},
			`truncate "secret_a": column secret_a of table public.accounts has type bytea, and a part of such a value is no value (fix: exclude it, or mask it)`},
		{"a pattern to include that matches nothing", shape.Rules{Include: []string{"id", "ssn*"}},
			`include "ssn*": no column of table public.accounts matches "ssn*"` + unmatched},
		{"a pattern to exclude that matches nothing", shape.Rules{Exclude: []string{"secret_*", "secert_?"}},
			`exclude "secert_?": no column of table public.accounts matches "secert_?"` + unmatched},
		{"a pattern to mask that matches nothing", shape.Rules{Mask: map[string]shape.Mask{"ssn*": salt}},
			`mask "ssn*": no column of table public.accounts matches "ssn*"` + unmatched},
		{"a pattern to truncate that matches nothing", shape.Rules{Truncate: map[string]int{"ssn*": 1}},
			`truncate "ssn*": no column of table public.accounts matches "ssn*"` + unmatched},
		{"two patterns that match a column", shape.Rules{Mask: map[string]shape.Mask{"secret_?": salt, "*_b": salt}},
			`mask "secret_b": column secret_b of table public.accounts is matched by both "*_b" and "secret_?" (fix: name the column itself, too)`},
		{"nothing left", shape.Rules{Exclude: []string{"*"}},
			"exclude: no column of table public.accounts is left of 6 (fix: take some out of it, or name those to keep in include)"},
		{"several", shape.Rules{Mask: map[string]shape.Mask{"a*": salt, "b": salt}, Truncate: map[string]int{"a*": 1}, Exclude: []string{"c*"}},
			`mask "a*": no column of table public.accounts matches "a*"` + unmatched + "\n" +
				`truncate "a*": no column of table public.accounts matches "a*"` + unmatched + "\n" +
				`exclude "c*": no column of table public.accounts matches "c*"` + unmatched + "\n" +
				`mask "b": table public.accounts has no column "b"` + columns},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := shape.Compile(accounts(), c.rules)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// Patterns against a matcher that tries everything.
func FuzzPatterns(f *testing.F) {
	for _, p := range []string{"", "*", "**", "?", "a*b", "*a*a*a*b", "é?", "a*?", "*😀"} {
		f.Add(p, "aab")
		f.Add(p, "éa😀")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !strings.ContainsAny(pattern, "*?") || len(pattern) > 12 || len(name) > 40 {
			return
		}
		rel := &schema.Relation{Table: schema.TableName{Schema: "s", Name: "t"}, Columns: []schema.Column{{Name: name}, {Name: "other\x00"}}}
		s, err := shape.Compile(rel, shape.Rules{Include: []string{pattern, "other\x00"}})
		want := name == pattern || tryAll([]rune(pattern), []rune(name))
		if err != nil {
			if want || tryAll([]rune(pattern), []rune("other\x00")) {
				t.Errorf("%q and %q: %v", pattern, name, err)
			}
			return
		}
		if got := s.Relation().Columns[0].Name == name && len(s.Relation().Columns) == 2; got != want && name != "other\x00" {
			t.Errorf("%q and %q: got %v, want %v", pattern, name, got, want)
		}
	})
}

// tryAll asks of every beginning of the pattern whether it is all of every beginning of the name.
func tryAll(p, n []rune) bool {
	is := make([][]bool, len(p)+1)
	for i := range is {
		is[i] = make([]bool, len(n)+1)
		for j := range is[i] {
			switch {
			case i == 0:
				is[i][j] = j == 0
			case p[i-1] == '*':
				is[i][j] = is[i-1][j] || j > 0 && is[i][j-1]
			default:
				is[i][j] = j > 0 && (p[i-1] == '?' || p[i-1] == n[j-1]) && is[i-1][j-1]
			}
		}
	}
	return is[len(p)][len(n)]
}

func compile(t testing.TB, rel *schema.Relation, r shape.Rules) *shape.Shape {
	t.Helper()
	s, err := shape.Compile(rel, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
